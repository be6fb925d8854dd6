// Why files failed, in words: each reason once, with those that it concerns, and what can be done.

import { retryFiles } from "../commands";
import type { FileView } from "../contract";
import { live } from "../live";
import { TERMINAL } from "../state/fold";
import { number } from "../state/format";
import { useStore } from "../state/store";
import { REASON, TEXT } from "../texts";

type Code = NonNullable<FileView["error_code"]>;

/** Trying again cannot help these: the file itself is to be changed. */
const HOPELESS: ReadonlySet<Code> = new Set([
  "encrypted",
  "corrupt",
  "not_a_pdf",
  "empty",
  "too_large",
  "too_many_pages",
  "object_missing",
  "object_corrupt",
]);

export function Failures({ files }: { files: readonly FileView[] }) {
  const batches = useStore(live, (now) => now.batches);
  const groups = new Map<Code, FileView[]>();
  for (const file of files) {
    if (file.processing_status !== "failed" || !file.error_code) continue;
    groups.set(file.error_code, [...(groups.get(file.error_code) ?? []), file]);
  }
  if (!groups.size) return null;
  const ended = (file: FileView) => {
    const status = batches.get(file.batch_id)?.status;
    return status === undefined || TERMINAL.has(status);
  };
  return (
    <section className="failures" aria-labelledby="failures">
      <h2 id="failures" className="section">
        {TEXT.failures.title}
      </h2>
      <ul>
        {[...groups]
          .sort(([, a], [, b]) => b.length - a.length)
          .map(([code, some]) => (
            <li key={code}>
              <b>{number(some.length)}</b>
              <span>{REASON[code]}</span>
              {some.some(ended) && (
                <button
                  type="button"
                  className={HOPELESS.has(code) ? "btn ghost small" : "btn small"}
                  onClick={() => void retryFiles(some.filter(ended))}
                >
                  {some.length === 1 ? TEXT.failures.retryIt : TEXT.failures.retryThese(some.filter(ended).length)}
                </button>
              )}
            </li>
          ))}
      </ul>
    </section>
  );
}
