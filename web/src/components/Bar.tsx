// One bar in four colours: done, failed, cancelled, being read; the rest waits.

import { number } from "../state/format";

interface Numbers {
  readonly total: number;
  readonly processed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly working: number;
}

const PARTS = ["processed", "failed", "cancelled", "working"] as const;

export function Bar({ of, label }: { of: Numbers; label: string }) {
  const settled = of.processed + of.failed + of.cancelled;
  return (
    <div
      className="bar"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={Math.max(1, of.total)}
      aria-valuenow={settled}
      aria-valuetext={`${number(settled)} of ${number(of.total)}`}
    >
      {PARTS.map((part) => (
        <i key={part} className={part} style={{ flexGrow: of[part] }} />
      ))}
      <i style={{ flexGrow: Math.max(0, of.total - settled - of.working) }} />
    </div>
  );
}

/** Of bytes that travel. */
export function Sent({ share, label }: { share: number; label: string }) {
  const percent = Math.round(share * 100);
  return (
    <div className="bar" role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent}>
      <i className="working" style={{ flexGrow: share }} />
      <i style={{ flexGrow: 1 - share }} />
    </div>
  );
}
