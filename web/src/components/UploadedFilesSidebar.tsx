// What happens now, and what happened earlier: a card for each upload that is sent or read, a line for each that has ended.

import type { RequestView } from "@quire/client/contract";
import { memo, useEffect, useMemo, useState } from "react";
import { retryUpload } from "../commands";
import { useNow } from "../hooks";
import { live } from "../live";
import { more, nameOf, requests } from "../requests";
import { Router } from "../router";
import { arriving, dismiss, type Sending, sendings } from "../sending/uploads";
import { between, clock, day, duration } from "../state/format";
import { useStore } from "../state/store";
import { outcome, type Upload } from "../state/uploads";
import { TEXT } from "../texts";
import { To } from "./Link";
import { Pill } from "./Name";
import { UploadCard } from "./UploadCard";

/** `titled` is false where the dialog that it is in has the title. */
export function UploadedFilesSidebar({ titled = true }: { titled?: boolean }) {
  const sent = useStore(sendings);
  const uploads = useStore(live, (now) => now.uploads);
  const ready = useStore(live, (now) => now.ready);
  const cards = useMemo(() => paired(sent, uploads), [sent, uploads]);
  useEffect(() => {
    for (const { sending, upload } of cards)
      if (sending?.phase === "done" && !upload && !sending.rejected.length) dismiss(sending.key);
  }, [cards]);
  return (
    <>
      <section aria-labelledby="now">
        <h2 id="now" className={titled ? "section" : "hidden"}>
          {TEXT.now.title}
        </h2>
        {cards.map(({ key, sending, upload }) => (
          <UploadCard key={key} sending={sending} upload={upload} />
        ))}
        {ready && !cards.length && <p className="hint">{TEXT.now.nothing}</p>}
      </section>
      <Earlier uploads={uploads} sent={sent} />
    </>
  );
}

interface Card {
  readonly key: string;
  readonly sending: Sending | undefined;
  readonly upload: Upload | undefined;
}

/** One card an upload, whether it is sent, or read, or both; it stays the same one all the while. */
function paired(sent: readonly Sending[], uploads: readonly Upload[]): readonly Card[] {
  const active = uploads.filter((upload) => upload.active || arriving(upload.request_id));
  const of = (sending: Sending) => active.find((upload) => upload.request_id === sending.request);
  const ours = sent.map((sending) => ({ key: sending.key, sending, upload: of(sending) }));
  const taken = new Set(ours.map(({ upload }) => upload));
  return [
    ...ours,
    ...active.filter((upload) => !taken.has(upload)).map((upload) => ({ key: upload.request_id, sending: undefined, upload })),
  ];
}

export interface Past {
  readonly request_id: string;
  readonly name: string;
  readonly total: number;
  readonly processed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
}

/** The ended ones: as they are listed, and those that have ended since. */
export function past(uploads: readonly Upload[], listing: readonly RequestView[]): readonly Past[] {
  const known = new Map(listing.map((item) => [item.request_id, item]));
  const later = uploads.filter(({ request_id, ended_at }) => (ended_at ?? "") > (known.get(request_id)?.ended_at ?? ""));
  const live = new Set(uploads.filter((upload) => upload.active).map((upload) => upload.request_id));
  for (const { request_id } of later) live.add(request_id);
  const listed = listing
    .filter(({ request_id }) => !live.has(request_id) && !arriving(request_id))
    .map((item) => ({ ...item, ...item.files }));
  const ended = later
    .filter((upload) => !upload.active && !arriving(upload.request_id))
    .map((upload) => ({ ...upload, name: nameOf(upload) }));
  return [...listed, ...ended].sort((a, b) => ((a.ended_at ?? "") < (b.ended_at ?? "") ? 1 : -1));
}

function Earlier({ uploads, sent }: { uploads: readonly Upload[]; sent: readonly Sending[] }) {
  const { ended, cursor } = useStore(requests);
  const now = useNow();
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is still sent has not ended
  const all = useMemo(() => past(uploads, ended), [uploads, ended, sent]);
  if (!all.length) return null;
  const days = Map.groupBy(all, (each) => day(each.ended_at ?? each.created_at, now));
  return (
    <section aria-labelledby="earlier" className="earlier">
      <h2 id="earlier" className="section">
        {TEXT.earlier.title}
      </h2>
      {[...days].map(([date, some]) => (
        <div key={date}>
          {date !== "Today" && <h3 className="day">{date}</h3>}
          <ul className="card lines">
            {some.map((each) => (
              <Line key={each.request_id} of={each} />
            ))}
          </ul>
        </div>
      ))}
      {cursor && (
        <button type="button" className="btn ghost wide" onClick={() => void more()}>
          {TEXT.earlier.more}
        </button>
      )}
    </section>
  );
}

const Line = memo(function Line({ of }: { of: Past }) {
  const [busy, setBusy] = useState(false);
  const how = outcome({ active: false, ...of });
  const took = between(of.started_at, of.ended_at);
  const again = of.failed + of.cancelled;
  const retry = async () => {
    setBusy(true);
    await retryUpload(of.request_id);
    setBusy(false);
  };
  return (
    <li>
      <To className="line-name" href={Router.Upload({ request: of.request_id })}>
        <bdi>{of.name}</bdi>
      </To>
      <Outcome of={of} />
      <span className="hint">
        {of.ended_at && clock(of.ended_at)}
        {how === "cancelled"
          ? ` · ${TEXT.earlier.split(of.processed, of.cancelled)}`
          : took !== null && ` · ${TEXT.earlier.took(duration(took))}`}
      </span>
      {again > 0 && (
        <button type="button" className="btn link" disabled={busy} onClick={() => void retry()}>
          {how === "cancelled" ? TEXT.earlier.readRest : TEXT.earlier.retry(again)}
        </button>
      )}
    </li>
  );
});

export function Outcome({ of }: { of: Pick<Past, "total" | "failed" | "cancelled"> }) {
  if (of.failed === of.total) return <Pill is="failed">{TEXT.earlier.allFailed}</Pill>;
  if (of.failed) return <Pill is="failed">{TEXT.earlier.someFailed(of.failed, of.total)}</Pill>;
  if (of.cancelled) return <Pill is="cancelled">{TEXT.earlier.cancelled}</Pill>;
  return <Pill is="processed">{TEXT.earlier.done}</Pill>;
}
