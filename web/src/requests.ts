// The uploads of the collection as the server has them: those that go on, with their pace, and those that have ended, page by page.

import type { RequestView } from "@quire/client/contract";
import { announce } from "./announce";
import { activeRequests, batchesOf, endedRequests } from "./api/server";
import { learnBatches, live } from "./live";
import { notify } from "./notify";
import { arriving, sendings } from "./sending/uploads";
import { Store, useStore } from "./state/store";
import type { Upload } from "./state/uploads";
import { TEXT } from "./texts";

export interface Requests {
  readonly collection: string | null;
  readonly active: readonly RequestView[];
  readonly ended: readonly RequestView[];
  readonly cursor: string | null;
}

const SOON_MS = 400;
const PACE_MS = 2000;
const SAID_EVERY_MS = 15_000;
const NOTHING: Requests = { collection: null, active: [], ended: [], cursor: null };

export const requests = new Store<Requests>(NOTHING);

let soon: ReturnType<typeof setTimeout> | undefined;
/** Which uploads went on when they were looked at last. */
let going = new Map<string, boolean>();
/** Uploads whose batches were asked for, with how many there were. */
const completed = new Map<string, number>();
let saidAt = 0;

live.subscribe(watch);
sendings.subscribe(watch);
setInterval(() => {
  if (document.visibilityState === "visible" && live.get().uploads.some((upload) => upload.active)) void loadActive();
}, PACE_MS);

function watch(): void {
  const { collection, uploads, ready } = live.get();
  if (!collection || !ready) return;
  const now = new Map(uploads.map((upload) => [upload.request_id, upload.active || arriving(upload.request_id)]));
  const before = going;
  going = now;
  if (requests.get().collection !== collection) {
    requests.set({ ...NOTHING, collection }, true);
    completed.clear();
    load();
    return;
  }
  for (const upload of uploads) {
    const goes = now.get(upload.request_id);
    if (before.get(upload.request_id) === goes) continue;
    if (before.get(upload.request_id)) ended(upload);
    soon ??= setTimeout(load, SOON_MS);
  }
  progress(uploads);
}

function load(): void {
  clearTimeout(soon);
  soon = undefined;
  void loadActive();
  void loadEnded();
}

/** Asks for the collection that is looked at; null: it cannot be had, or another one is looked at now. */
async function mine<Answer>(ask: (collection: string) => Promise<Answer>): Promise<Answer | null> {
  const { collection } = requests.get();
  const answer = collection ? await ask(collection).catch(() => null) : null;
  return requests.get().collection === collection ? answer : null;
}

async function loadActive(): Promise<void> {
  const active = await mine(activeRequests);
  if (!active) return;
  requests.update((now) => ({ ...now, active }), true);
  await Promise.all(active.map(complete));
}

/** Of a running upload every batch is drawn; those that have ended are in no snapshot. */
async function complete({ request_id, batches: { total } }: RequestView): Promise<void> {
  const upload = live.get().uploads.find((each) => each.request_id === request_id);
  if ((upload?.batches.length ?? 0) >= total || completed.get(request_id) === total) return;
  completed.set(request_id, total);
  const views = await mine((collection) => batchesOf(collection, request_id));
  if (views) learnBatches(views);
  else completed.delete(request_id);
}

async function loadEnded(): Promise<void> {
  const page = await mine((collection) => endedRequests(collection, null));
  if (!page) return;
  const fresh = new Set(page.items.map((item) => item.request_id));
  requests.update((now) => {
    const older = now.ended.filter((item) => !fresh.has(item.request_id));
    return { ...now, ended: [...page.items, ...older], cursor: older.length ? now.cursor : page.next_cursor };
  }, true);
}

export async function more(): Promise<void> {
  const { cursor } = requests.get();
  const page = cursor ? await mine((collection) => endedRequests(collection, cursor)) : null;
  if (!page || requests.get().cursor !== cursor) return;
  const known = new Set(requests.get().ended.map((item) => item.request_id));
  const fresh = page.items.filter((item) => !known.has(item.request_id));
  requests.update((now) => ({ ...now, ended: [...now.ended, ...fresh], cursor: page.next_cursor }), true);
}

const listed = ({ active, ended }: Requests, id: string): RequestView | undefined =>
  active.find((item) => item.request_id === id) ?? ended.find((item) => item.request_id === id);

/** Files a second and seconds left, of an upload that goes on; null while that cannot be said. */
export function usePace(id: string): { readonly perSecond: number; readonly left: number | null } | null {
  const request = useStore(requests, ({ active }) => active.find((item) => item.request_id === id));
  return request?.files_per_second ? { perSecond: request.files_per_second, left: request.eta_seconds } : null;
}

/** What an upload is called: as the server has it, or as this page sent it. */
export function nameOf(upload: Pick<Upload, "request_id" | "name" | "total">, known = requests.get()): string {
  const { request_id, name, total } = upload;
  const sent = () => sendings.get().find((each) => each.request === request_id);
  return name ?? (listed(known, request_id)?.name || sent()?.name || TEXT.now.unnamed(total));
}

export const useName = (upload: Parameters<typeof nameOf>[0]): string => useStore(requests, (known) => nameOf(upload, known));

function ended(upload: Upload): void {
  const name = nameOf(upload);
  const text = TEXT.announce.ended(name, upload.processed, upload.failed, upload.cancelled);
  announce(text);
  notify(TEXT.notification(name), text);
}

/** How far they are, at most each 15 s. */
function progress(uploads: readonly Upload[]): void {
  const [first] = uploads.filter((upload) => upload.active);
  if (!first || Date.now() - saidAt < SAID_EVERY_MS) return;
  if (saidAt) announce(TEXT.announce.progress(nameOf(first), first.processed + first.failed + first.cancelled, first.total));
  saidAt = Date.now();
}
