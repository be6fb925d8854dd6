// Why files failed, in words: each reason once, with how many it concerns, and what can be done.

import type { FailureView, FileView } from "@quire/client/contract";
import { retryFiles } from "../commands";
import { live } from "../live";
import { TERMINAL } from "../state/fold";
import { number } from "../state/format";
import { useStore } from "../state/store";
import { REASON, TEXT } from "../texts";

type Code = FailureView["code"];

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

export interface Reason {
  readonly code: Code;
  readonly count: number;
  /** How many of them can be retried now. */
  readonly ready: number;
  readonly retry: () => void;
}

export function Failures({ reasons, hint }: { reasons: readonly Reason[]; hint?: string | false }) {
  if (!reasons.length) return null;
  return (
    <section className="failures" aria-labelledby="failures">
      <h2 id="failures" className="section">
        {TEXT.failures.title}
        {hint && <small> {hint}</small>}
      </h2>
      <ul>
        {reasons.map(({ code, count, ready, retry }) => (
          <li key={code}>
            <b>{number(count)}</b>
            <span>{REASON[code]}</span>
            {ready > 0 && (
              <button type="button" className={HOPELESS.has(code) ? "btn ghost small" : "btn small"} onClick={retry}>
                {ready === 1 ? TEXT.failures.retryIt : TEXT.failures.retryThese(ready)}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The reasons of these files, the most frequent first. */
export function useReasons(files: readonly FileView[]): readonly Reason[] {
  const batches = useStore(live, (now) => now.batches);
  const groups = new Map<Code, FileView[]>();
  for (const file of files) {
    if (file.processing_status !== "failed" || !file.error_code) continue;
    groups.set(file.error_code, [...(groups.get(file.error_code) ?? []), file]);
  }
  const ended = (file: FileView) => {
    const status = batches.get(file.batch_id)?.status;
    return status === undefined || TERMINAL.has(status);
  };
  return [...groups]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([code, some]) => {
      const again = some.filter(ended);
      return { code, count: some.length, ready: again.length, retry: () => void retryFiles(again) };
    });
}
