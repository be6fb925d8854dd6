// Why files failed, in words: each reason once, with how many it concerns, and what can be done.

import type { FailureView } from "@quire/client/contract";
import { number } from "../state/format";
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
  /** What the button says; null: none of them can be retried now. */
  readonly label: string | null;
  readonly retry: () => void;
}

export function Failures({ reasons }: { reasons: readonly Reason[] }) {
  if (!reasons.length) return null;
  return (
    <section className="failures" aria-labelledby="failures">
      <h2 id="failures" className="section">
        {TEXT.failures.title}
      </h2>
      <ul>
        {reasons.map(({ code, count, label, retry }) => (
          <li key={code}>
            <b>{number(count)}</b>
            <span>{REASON[code]}</span>
            {label && (
              <button type="button" className={HOPELESS.has(code) ? "btn ghost small" : "btn small"} onClick={retry}>
                {label}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
