// An upload: all of its quires, each drawn as its sheets, and why files of it failed.

import { useEffect, useRef, useState } from "react";
import { batchesOf, failures, request } from "../api/server";
import { cancelUpload, retryUpload } from "../commands";
import { Files } from "../files";
import { useAsked } from "../hooks";
import { follow, learnBatches, live } from "../live";
import { useName, usePace } from "../requests";
import { Router } from "../router";
import { type Batch, settled, TERMINAL } from "../state/fold";
import { between, duration, exactly, left } from "../state/format";
import { useStore } from "../state/store";
import type { Upload } from "../state/uploads";
import { TEXT } from "../texts";
import { Bar } from "./Bar";
import { homeOf, Unknown } from "./BatchPage";
import { Question } from "./Dialog";
import { Failures } from "./Failures";
import { FileTable } from "./FileTable";
import { To } from "./Link";
import { TakeOut } from "./TakeOut";
import { Quire } from "./UploadCard";
import { Outcome } from "./UploadedFilesSidebar";

const files = new Files();

export function UploadPage({ id, collection, active }: { id: string; collection: string; active: boolean }) {
  const ready = useStore(live, (now) => now.ready);
  const followed = useStore(live, (now) => now.collection);
  const upload = useStore(live, (now) => now.uploads.find((each) => each.request_id === id));
  const [asked] = useAsked(id, () => request(id));
  const own = asked.is === "there" ? asked.value.collection_id : null;
  useEffect(() => {
    if (asked.is !== "loading") follow(own ?? collection);
  }, [asked.is, own, collection]);
  useEffect(() => {
    if (own && ready && followed === own) void batchesOf(own, id).then(learnBatches, () => undefined);
  }, [own, id, ready, followed]);
  if (upload) return <Page upload={upload} collection={own ?? collection} active={active} />;
  if (asked.is === "failed") return <Unknown error={asked.error} text={TEXT.upload.unknown} collection={collection} />;
  return <p className="hint nothing">{TEXT.table.loading}</p>;
}

function Page({ upload, collection, active }: { upload: Upload; collection: string; active: boolean }) {
  const name = useName(upload);
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
        <Commands upload={upload} name={name} />
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
      <FilesOf upload={upload} active={active} />
    </div>
  );
}

/** In the order of the upload; asked for again as long as more come. */
function FilesOf({ upload: { request_id, total }, active }: { upload: Upload; active: boolean }) {
  const { items, more } = useStore(files.store);
  const shown = useRef(0);
  useEffect(() => {
    if (!shown.current) void files.show({ request_id, order: "upload" });
    else if (total > shown.current) void files.further();
    shown.current = total;
  }, [request_id, total]);
  const ours = files.wanted.request_id === request_id ? items : [];
  return (
    <section aria-labelledby="files-of">
      <h2 id="files-of" className="section">
        {TEXT.batch.files}
      </h2>
      <FileTable
        files={files}
        items={ours}
        more={more}
        active={active}
        open={(file) => Router.Upload({ request: request_id, file })}
      />
    </section>
  );
}

function Numbers({ upload }: { upload: Upload }) {
  const at = usePace(upload.request_id);
  const took = between(upload.started_at, upload.ended_at);
  const waiting = upload.total - upload.processed - upload.failed - upload.cancelled - upload.working;
  return (
    <p className="facts">
      <span>{TEXT.now.facts(upload.total, upload.batches.length)}</span>
      <span>{TEXT.now.sheets(upload.processed, upload.failed, upload.cancelled, upload.working, waiting)}</span>
      <span className="end">
        {at?.left != null
          ? TEXT.now.left(left(at.left))
          : `${exactly(upload.created_at)}${took === null ? "" : ` · ${TEXT.earlier.took(duration(took))}`}`}
      </span>
    </p>
  );
}

function Commands({ upload, name }: { upload: Upload; name: string }) {
  const [asked, ask] = useState(false);
  const [busy, setBusy] = useState(false);
  const again = upload.failed + upload.cancelled;
  const rest = upload.total - upload.processed - again;
  const does = async (what: () => Promise<boolean>) => {
    setBusy(true);
    await what();
    setBusy(false);
  };
  return (
    <span className="page-actions">
      <TakeOut of={{ request_id: upload.request_id }} />
      {!upload.active && again > 0 && (
        <button type="button" className="btn" disabled={busy} onClick={() => void does(() => retryUpload(upload.request_id))}>
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
          choices={[{ label: TEXT.now.cancelYes(rest), bad: true, does: () => void does(() => cancelUpload(upload.request_id)) }]}
          onClose={() => ask(false)}
        />
      )}
    </span>
  );
}

/** Asked for again whenever their number changes, or that of those that can be retried. */
function FailedOf({ upload }: { upload: Upload }) {
  const { request_id, failed, batches } = upload;
  const ended = batches.filter((batch) => batch.failed && TERMINAL.has(batch.status)).length;
  const [asked] = useAsked(`${request_id} ${failed} ${ended}`, () => failures(request_id), true);
  if (asked.is !== "there") return null;
  return (
    <Failures
      reasons={asked.value.map(({ code, count, retriable }) => ({
        code,
        count,
        label: TEXT.failures.retry(retriable),
        retry: () => void retryUpload(request_id, [code]),
      }))}
    />
  );
}
