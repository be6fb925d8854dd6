// The uploads of the collection as the server lists them, the newest first; asked for again when one begins or ends.

import { announce } from "./announce";
import { requests as ask, type Request } from "./api/server";
import { live } from "./live";
import { notify } from "./notify";
import { arriving, sendings } from "./sending/uploads";
import { Store } from "./state/store";
import type { Upload } from "./state/uploads";
import { TEXT } from "./texts";

export interface Requests {
  readonly collection: string | null;
  readonly items: readonly Request[];
  readonly cursor: string | null;
  readonly ready: boolean;
}

const SOON_MS = 400;
const SAID_EVERY_MS = 15_000;
const NOTHING: Requests = { collection: null, items: [], cursor: null, ready: false };

export const requests = new Store<Requests>(NOTHING);

let soon: ReturnType<typeof setTimeout> | undefined;
/** Which uploads went on when they were looked at last. */
let going = new Map<string, boolean>();
let saidAt = 0;

live.subscribe(watch);
sendings.subscribe(watch);

function watch(): void {
  const { collection, uploads, ready } = live.get();
  if (!collection || !ready) return;
  const now = new Map(uploads.map((upload) => [upload.request_id, upload.active || arriving(upload)]));
  const before = going;
  going = now;
  if (requests.get().collection !== collection) {
    requests.set({ ...NOTHING, collection }, true);
    void load();
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

async function load(): Promise<void> {
  clearTimeout(soon);
  soon = undefined;
  const { collection } = requests.get();
  if (!collection) return;
  const page = await ask(collection, null).catch(() => null);
  if (!page || requests.get().collection !== collection) return;
  requests.update((now) => {
    const fresh = new Set(page.items.map((item) => item.request_id));
    const older = now.items.filter((item) => !fresh.has(item.request_id));
    const cursor = now.ready && now.items.length > page.items.length ? now.cursor : page.next_cursor;
    return { ...now, items: [...page.items, ...older], cursor, ready: true };
  }, true);
}

export async function more(): Promise<void> {
  const { collection, cursor } = requests.get();
  if (!collection || !cursor) return;
  const page = await ask(collection, cursor).catch(() => null);
  if (!page || requests.get().cursor !== cursor) return;
  requests.update((now) => {
    const known = new Set(now.items.map((item) => item.request_id));
    return {
      ...now,
      items: [...now.items, ...page.items.filter((item) => !known.has(item.request_id))],
      cursor: page.next_cursor,
    };
  }, true);
}

/** What an upload is called: as the server has it, as this page sent it, or by its first file. */
export function nameOf(id: string, upload: Upload | null, items: readonly Request[] = requests.get().items): string {
  const listed = items.find((item) => item.request_id === id);
  const sent = sendings
    .get()
    .find(
      (sending) =>
        sending.request === id || sending.batches.some((batch) => upload?.batches.some((each) => each.batch_id === batch)),
    );
  const total = upload?.total ?? listed?.files.total ?? 0;
  const first = upload?.batches[0]?.sheets?.[0]?.filename;
  const called = first && total > 1 ? `${first} and ${total - 1} more` : first;
  return listed?.name ?? (sent?.name || called || TEXT.now.unnamed(total));
}

function ended(upload: Upload): void {
  const name = nameOf(upload.request_id, upload);
  const text = TEXT.announce.ended(name, upload.processed, upload.failed, upload.cancelled);
  announce(text);
  notify(TEXT.notification(name), text);
}

/** How far they are, at most each 15 s. */
function progress(uploads: readonly Upload[]): void {
  const [first] = uploads.filter((upload) => upload.active);
  if (!first || Date.now() - saidAt < SAID_EVERY_MS) return;
  if (saidAt)
    announce(
      TEXT.announce.progress(nameOf(first.request_id, first), first.processed + first.failed + first.cancelled, first.total),
    );
  saidAt = Date.now();
}
