// An upload: all of its quires, each drawn as its sheets, and why files of it failed.

import { useEffect, useState } from "react";
import { knowsRequests } from "../api/older";
import { files as askFiles, batchesOf, exported } from "../api/server";
import { cancelBatches, retryUpload } from "../commands";
import { useAsked, useNow } from "../hooks";
import { learnBatches, live } from "../live";
import { nameOf, requests } from "../requests";
import { type Batch, settled, TERMINAL } from "../state/fold";
import { between, duration, exactly } from "../state/format";
import { useStore } from "../state/store";
import { pace, type Upload } from "../state/uploads";
import { TEXT } from "../texts";
import { Bar } from "./Bar";
import { homeOf, Unknown } from "./BatchPage";
import { Question } from "./Dialog";
import { Failures } from "./Failures";
import { To } from "./Link";
import { Quire } from "./UploadCard";
import { Outcome } from "./UploadedFilesSidebar";

export function UploadPage({ id, collection }: { id: string; collection: string }) {
  const ready = useStore(live, (now) => now.ready);
  const upload = useStore(live, (now) => now.uploads.find((each) => each.request_id === id));
  const [asked] = useAsked(`${collection} ${id} ${ready}`, async () => {
    if (!ready) return null;
    const views = await batchesOf(collection, id);
    learnBatches(views);
    return views.length;
  });
  if (upload) return <Page upload={upload} collection={collection} />;
  if (asked.is === "failed") return <Unknown error={asked.error} text={TEXT.upload.unknown} collection={collection} />;
  if (asked.is === "there" && asked.value === 0)
    return <Unknown error={null} text={TEXT.upload.unknown} collection={collection} />;
  return <p className="hint nothing">{TEXT.table.loading}</p>;
}

function Page({ upload, collection }: { upload: Upload; collection: string }) {
  const items = useStore(requests, (all) => all.items);
  const name = nameOf(upload.request_id, upload, items);
  const next = upload.batches.find((batch) => batch.status === "queued" && !settled(batch));
  return (
    <div className="page-of">
      <nav className="crumbs" aria-label={TEXT.batch.crumb}>
        <To href={homeOf(collection)}>
          <bdi>{collection}</bdi>
        </To>
      </nav>
      <header className="page-head">
        <h1>
          <bdi>{name}</bdi>
        </h1>
        {!upload.active && <Outcome of={upload} />}
        <Commands upload={upload} name={name} collection={collection} />
      </header>
      <div className="card strip">
        <Bar of={upload} label={TEXT.now.progressOf(name)} />
        <Numbers upload={upload} />
      </div>
      <FailedOf upload={upload} />
      <section aria-labelledby="quires">
        <h2 id="quires" className="section">
          {TEXT.upload.quires}
        </h2>
        <div className="card quires all">
          {upload.batches.map((batch: Batch, place) => (
            <Quire key={batch.batch_id} batch={batch} place={place + 1} next={batch === next} />
          ))}
        </div>
      </section>
    </div>
  );
}

function Numbers({ upload }: { upload: Upload }) {
  const now = useNow();
  const at = pace(upload, now);
  const took = between(upload.started_at, upload.ended_at);
  const waiting = upload.total - upload.processed - upload.failed - upload.cancelled - upload.working;
  return (
    <p className="facts">
      <span>{TEXT.now.facts(upload.total, upload.batches.length)}</span>
      <span>{TEXT.now.sheets(upload.processed, upload.failed, upload.cancelled, upload.working, waiting)}</span>
      <span className="end">
        {at
          ? TEXT.now.left(duration(at.left))
          : `${exactly(upload.created_at)}${took === null ? "" : ` · ${TEXT.earlier.took(duration(took))}`}`}
      </span>
    </p>
  );
}

function Commands({ upload, name, collection }: { upload: Upload; name: string; collection: string }) {
  const [asked, ask] = useState(false);
  const [busy, setBusy] = useState(false);
  const again = upload.failed + upload.cancelled;
  const rest = upload.total - upload.processed - again;
  const active = upload.batches.filter((batch) => !TERMINAL.has(batch.status)).map((batch) => batch.batch_id);
  const does = async (what: () => Promise<boolean>) => {
    setBusy(true);
    await what();
    setBusy(false);
  };
  return (
    <span className="page-actions">
      {knowsRequests() && (
        <a className="btn" href={exported("text", "zip", { request_id: upload.request_id })} download>
          {TEXT.table.downloadAll}
        </a>
      )}
      {!upload.active && again > 0 && (
        <button
          type="button"
          className="btn"
          disabled={busy}
          onClick={() => void does(() => retryUpload(collection, upload.request_id))}
        >
          {TEXT.batch.retry(again)}
        </button>
      )}
      {upload.active && (
        <button type="button" className="btn bad" disabled={busy} onClick={() => ask(true)}>
          {TEXT.now.cancelRest}
        </button>
      )}
      {asked && (
        <Question
          title={TEXT.now.cancelTitle(name)}
          text={TEXT.now.cancelText(rest, upload.total - rest)}
          stay={TEXT.now.cancelNo}
          choices={[{ label: TEXT.now.cancelYes(rest), bad: true, does: () => void does(() => cancelBatches(active)) }]}
          onClose={() => ask(false)}
        />
      )}
    </span>
  );
}

const MOST_ASKED = 10;

/** The failed files of the batches that have some. */
function FailedOf({ upload }: { upload: Upload }) {
  const some = upload.batches.filter((batch) => batch.failed).slice(0, MOST_ASKED);
  const key = some.map((batch) => `${batch.batch_id} ${batch.failed}`).join(" ");
  const [asked, again] = useAsked(key, async () =>
    (await Promise.all(some.map(({ batch_id }) => askFiles({ batch_id, status: "failed", limit: 100 })))).flatMap(
      (page) => page.items,
    ),
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: once more, when it has ended
  useEffect(() => again(), [upload.active]);
  return asked.is === "there" && asked.value.length ? <Failures files={asked.value} /> : null;
}
