// The name of a file: of any script and direction, its end in sight however little room there is.

import { split } from "../state/format";

export function Name({ children }: { children: string }) {
  const [head, tail] = split(children);
  return (
    <bdi className="name" title={children}>
      <span className="name-head">{head}</span>
      <span className="name-tail">{tail}</span>
    </bdi>
  );
}

export function Pill({ is, children }: { is: "processed" | "processing" | "queued" | "failed" | "cancelled"; children: string }) {
  return (
    <span className={`pill ${is}`}>
      <i className="pill-mark" aria-hidden="true" />
      {children}
    </span>
  );
}
