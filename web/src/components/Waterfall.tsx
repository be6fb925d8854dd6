// The files of a batch on a time axis: each bar from its start to its end.

import type { FileView } from "@quire/client/contract";
import { useNow } from "../hooks";
import { type Batch, TERMINAL } from "../state/fold";
import { duration } from "../state/format";
import { TEXT } from "../texts";

interface Span {
  readonly file: FileView;
  readonly from: number;
  readonly to: number;
}

function spanOf(file: FileView, now: number): Span | null {
  const started = file.started_at ? Date.parse(file.started_at) : null;
  const settled = file.processing_status === "processed" || file.processing_status === "failed";
  if (started === null) return null;
  const to = file.duration_ms != null ? started + file.duration_ms : settled ? Date.parse(file.updated_at) : now;
  return { file, from: started, to: Math.max(to, started) };
}

export function Waterfall({ files, batch }: { files: readonly FileView[]; batch: Batch }) {
  const now = useNow();
  const spans = files.map((file) => spanOf(file, now)).filter((span) => span !== null);
  if (!spans.length) return null;
  const begin = Math.min(...spans.map((span) => span.from));
  const end = Math.max(...spans.map((span) => span.to), TERMINAL.has(batch.status) ? 0 : now);
  const length = Math.max(1, end - begin);
  const share = (time: number) => `${(((time - begin) / length) * 100).toFixed(2)}%`;
  return (
    <section aria-labelledby="waterfall">
      <h2 id="waterfall" className="section">
        {TEXT.batch.waterfall}
      </h2>
      <div className="card waterfall">
        <ol>
          {spans.map(({ file, from, to }) => (
            <li key={file.file_id}>
              <bdi title={file.original_filename}>{file.original_filename}</bdi>
              <span className="track">
                <i className={file.processing_status} style={{ left: share(from), width: share(begin + (to - from)) }} />
              </span>
              <span className="took">{duration((to - from) / 1000)}</span>
            </li>
          ))}
        </ol>
        <p className="axis" aria-hidden="true">
          <span>0</span>
          <span>{duration(length / 2000)}</span>
          <span>{duration(length / 1000)}</span>
        </p>
      </div>
    </section>
  );
}
