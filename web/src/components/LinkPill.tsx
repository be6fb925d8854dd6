// How the page is connected, and what a person can do about it.

import { useNow } from "../hooks";
import { check, type Link, link } from "../live";
import { useStore } from "../state/store";
import { TEXT } from "../texts";

const UNAUTHENTICATED = 3500;

export function LinkPill({ onToken }: { onToken: () => void }) {
  const now = useStore(link);
  return (
    <span className={`pill link-${kind(now)}`} {...(now.is === "live" ? { title: TEXT.link.wayTitle[now.way] } : {})}>
      <i className="pill-mark" aria-hidden="true" />
      <Words link={now} />
      {(now.is === "lost" || now.is === "offline") && (
        <button type="button" className="btn link" onClick={check}>
          {TEXT.link.now}
        </button>
      )}
      {now.is === "refused" && (
        <button type="button" className="btn link" onClick={onToken}>
          {TEXT.link.renew}
        </button>
      )}
    </span>
  );
}

const kind = (now: Link) => (now.is === "live" ? "good" : now.is === "connecting" ? "wait" : "bad");

function Words({ link: now }: { link: Link }) {
  const time = useNow();
  if (now.is === "connecting") return <>{TEXT.link.connecting}</>;
  if (now.is === "offline") return <>{TEXT.link.offline}</>;
  if (now.is === "lost") return <>{TEXT.link.lost(Math.ceil((now.until - time) / 1000))}</>;
  if (now.is === "refused") return <>{now.code === UNAUTHENTICATED ? TEXT.link.expired : TEXT.link.refused}</>;
  return <>{now.way === "websocket" ? TEXT.link.live : TEXT.link[now.way]}</>;
}
