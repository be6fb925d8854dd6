// A batch: its strip, its facts, its files on a time axis, what happened to it. A batch of any age.

import type { BatchView, FileView } from "@quire/client/contract";
import { useEffect, useMemo, useState } from "react";
import { Refused, said } from "../api/http";
import { request } from "../api/server";
import { cancelBatches, retryBatches } from "../commands";
import { flights, standing } from "../flight";
import { useHistory } from "../history";
import { useAsked, useNow } from "../hooks";
import { follow, listen, live, refresh } from "../live";
import { Router } from "../router";
import { type Batch, settled, TERMINAL } from "../state/fold";
import { between, bytes, duration, exactly, number, toTheSecond } from "../state/format";
import { useStore } from "../state/store";
import { story } from "../state/story";
import { REASON, STANDING, TEXT } from "../texts";
import { addressOf } from "../view";
import { Question } from "./Dialog";
import { To } from "./Link";
import { Name, Pill } from "./Name";
import { Sheets, sheetsText } from "./Sheets";
import { TakeOut } from "./TakeOut";
import { Waterfall } from "./Waterfall";

const KIND: Record<Batch["status"], FileView["processing_status"]> = {
  queued: "queued",
  processing: "processing",
  completed: "processed",
  completed_with_errors: "failed",
  failed: "failed",
  cancelled: "cancelled",
};

export const homeOf = (collection: string) =>
  addressOf({ collection, tab: "all", q: "", inText: false, sort: "newest", file: null });

/** Fetched, followed, and fetched again when one of its files is settled: their links are in no message. */
export function BatchPage({ id, collection }: { id: string; collection: string }) {
  const [asked, again] = useAsked(id, () => refresh(id));
  const known = useStore(live, (now) => now.batches.get(id));
  const ready = useStore(live, (now) => now.ready);
  useEffect(() => {
    if (asked.is === "there") follow(asked.value.collection_id);
    else if (asked.is === "failed") follow(collection);
  }, [asked, collection]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once more, when its own collection is followed
  useEffect(() => {
    if (ready && asked.is === "there" && !known) again();
  }, [ready, known]);
  useRenewed(id, again);
  if (asked.is === "loading") return <p className="hint nothing">{TEXT.table.loading}</p>;
  if (asked.is === "failed") return <Unknown error={asked.error} text={TEXT.batch.unknown} collection={collection} />;
  return <Page view={asked.value} batch={known} />;
}

function useRenewed(id: string, again: () => void): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: `again` is another function each time, and does the same
  useEffect(() => {
    let soon: ReturnType<typeof setTimeout> | undefined;
    const stop = listen((message) => {
      if (message.batch_id === id && message.type !== "BATCH_PROCESSING_PROGRESS")
        soon ??= setTimeout(() => {
          soon = undefined;
          again();
        }, 300);
    });
    return () => {
      clearTimeout(soon);
      stop();
    };
  }, [id]);
}

export function Unknown({ error, text, collection }: { error: unknown; text: string; collection: string }) {
  const none = error === null || (error instanceof Refused && (error.status === 404 || error.status === 422));
  return (
    <div className="nothing" role="alert">
      <p>{none ? text : said(error)}</p>
      <To className="btn" href={homeOf(collection)}>
        {TEXT.batch.back}
      </To>
    </div>
  );
}

function Page({ view, batch }: { view: BatchView; batch: Batch | undefined }) {
  const now = {
    ...view,
    waiting_for: [],
    sheets: null,
    as_of: 0,
    told: 0,
    vague: false,
    in_flight: view.in_flight ?? [],
    request_name: null,
    ...batch,
    policy: view.policy,
  } satisfies Batch;
  const files = view.files ?? [];
  const short = view.batch_id.slice(0, 8);
  return (
    <div className="page-of">
      <Crumbs view={view} />
      <header className="page-head">
        <h1>{TEXT.batch.title(short)}</h1>
        <Pill is={KIND[now.status]}>{TEXT.batch.status[now.status]}</Pill>
        <Commands batch={now} short={short} />
      </header>
      {now.error_message && <p className="notice bad">{now.error_message}</p>}
      <div className="card strip">
        <Sheets batch={now} big />
        <p className="facts">
          <span>{sheetsText(now)}</span>
          <span className="end">
            {settled(now)} {TEXT.now.of(now.total)}
          </span>
        </p>
      </div>
      <Facts batch={now} view={view} />
      <Waterfall files={files} batch={now} />
      <FilesOf files={files} id={view.batch_id} />
      <Log view={view} />
    </div>
  );
}

function Crumbs({ view }: { view: BatchView }) {
  const [upload] = useAsked(view.request_id, () => request(view.request_id));
  return (
    <nav className="crumbs" aria-label={TEXT.batch.crumb}>
      <To href={homeOf(view.collection_id)}>
        <bdi>{view.collection_id}</bdi>
      </To>
      <span aria-hidden="true">/</span>
      <To href={Router.Upload({ request: view.request_id })}>
        <bdi>{upload.is === "there" ? upload.value.name : TEXT.upload.title}</bdi>
      </To>
    </nav>
  );
}

function Commands({ batch, short }: { batch: Batch; short: string }) {
  const [asked, ask] = useState(false);
  const [busy, setBusy] = useState(false);
  const ended = TERMINAL.has(batch.status);
  const again = batch.policy === "all_or_nothing" && batch.status === "failed" ? batch.total : batch.failed + batch.cancelled;
  const rest = batch.total - settled(batch);
  const does = async (what: () => Promise<boolean>) => {
    setBusy(true);
    await what();
    setBusy(false);
  };
  return (
    <span className="page-actions">
      <TakeOut of={{ batch_id: batch.batch_id }} />
      {ended && again > 0 && (
        <button type="button" className="btn" disabled={busy} onClick={() => void does(() => retryBatches([batch.batch_id]))}>
          {TEXT.batch.retry(again)}
        </button>
      )}
      {!ended && (
        <button type="button" className="btn bad" disabled={busy} onClick={() => ask(true)}>
          {TEXT.batch.cancel}
        </button>
      )}
      {asked && (
        <Question
          title={TEXT.now.cancelTitle(TEXT.batch.title(short))}
          text={TEXT.now.cancelText(rest, batch.total - rest)}
          stay={TEXT.now.cancelNo}
          choices={[{ label: TEXT.now.cancelYes(rest), bad: true, does: () => void does(() => cancelBatches([batch.batch_id])) }]}
          onClose={() => ask(false)}
        />
      )}
    </span>
  );
}

function Facts({ batch, view }: { batch: Batch; view: BatchView }) {
  const now = useNow();
  const took = batch.started_at ? between(batch.started_at, batch.ended_at ?? new Date(now).toISOString()) : null;
  const facts: readonly (readonly [string, string | null])[] = [
    [TEXT.batch.fact.created, exactly(batch.created_at)],
    [TEXT.batch.fact.started, batch.started_at && toTheSecond(batch.started_at)],
    [TEXT.batch.fact.took, took === null ? null : duration(took)],
    [TEXT.batch.fact.attempt, batch.attempt > 1 ? String(batch.attempt) : null],
    [TEXT.batch.fact.worker, view.worker],
    [TEXT.batch.fact.policy, TEXT.batch.policy[view.policy]],
  ];
  return (
    <dl className="facts-line">
      {facts.map(
        ([name, value]) =>
          value && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

function FilesOf({ files, id }: { files: readonly FileView[]; id: string }) {
  const batches = useStore(live, (now) => now.batches);
  const inHand = flights(batches);
  const sheets = new Map(batches.get(id)?.sheets?.map((sheet) => [sheet.file_id, sheet.standing]));
  return (
    <section aria-labelledby="files-of">
      <h2 id="files-of" className="section">
        {TEXT.batch.files}
      </h2>
      <ul className="card lines files-of">
        {files.map((file) => {
          const position = inHand.get(file.file_id);
          const now = sheets.get(file.file_id) ?? standing(file, position, batches);
          const reason = now === "failed" && (file.error_code ? REASON[file.error_code] : file.error_message);
          return (
            <li key={file.file_id}>
              <To className="line-name" href={Router.Batch({ batch: id, file: file.file_id })}>
                <Name>{file.original_filename}</Name>
              </To>
              <Pill is={now}>{STANDING[now]}</Pill>
              <span className={reason ? "hint bad" : "hint"}>
                {reason || (position?.pages ? TEXT.table.reading(position.page ?? 0, position.pages) : described(file))}
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

const described = (file: FileView) =>
  [file.page_count !== null && TEXT.pages(file.page_count), bytes(file.file_size)].filter(Boolean).join(" · ");

function Log({ view }: { view: BatchView }) {
  const [messages, asked] = useHistory(view.batch_id);
  const lines = useMemo(() => story(messages), [messages]);
  return (
    <section aria-labelledby="log">
      <h2 id="log" className="section">
        {TEXT.batch.log}
      </h2>
      {asked.is === "failed" && <p className="hint">{said(asked.error)}</p>}
      <ol className="log">
        {lines.map((line, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the story only grows at its end
          <li key={place} className={line.bad ? "bad" : undefined}>
            <time dateTime={line.at}>{toTheSecond(line.at)}</time>
            <span>
              {line.name && (
                <>
                  <bdi>{line.name}</bdi>:{" "}
                </>
              )}
              {line.text}
            </span>
          </li>
        ))}
      </ol>
      {asked.is === "loading" && <p className="hint">{TEXT.table.loading}</p>}
      <p className="hidden">{number(lines.length)}</p>
    </section>
  );
}
