// The collection that is looked at, kept up to date by one subscription: snapshot and messages in, the fold out.

import { type Disconnected, type FeedMessage, type Subscribed, subscribe } from "@quire/client";
import type { AnyFeedMessage, BatchView } from "@quire/client/contract";
import { ROOT } from "./address";
import { announce } from "./announce";
import { batch, snapshot } from "./api/server";
import { token } from "./session";
import { add, answered, type Batches, begin, NONE, TERMINAL, take } from "./state/fold";
import { Store } from "./state/store";
import { type Upload, uploads } from "./state/uploads";
import { TEXT } from "./texts";

export type Link =
  | { readonly is: "connecting" }
  | { readonly is: "live"; readonly way: Subscribed["way"] }
  | { readonly is: "lost"; readonly until: number }
  | { readonly is: "offline" }
  | { readonly is: "refused"; readonly code: number; readonly reason: string };

export interface Live {
  readonly collection: string | null;
  readonly batches: Batches;
  readonly uploads: readonly Upload[];
  /** The snapshot is here: what is not in it does not run. */
  readonly ready: boolean;
}

const LOST_FOR_MS = 1500; // a blink is not worth a word
const NOTHING: Live = { collection: null, batches: NONE, uploads: [], ready: false };

export const link = new Store<Link>({ is: "connecting" });
export const live = new Store<Live>(NOTHING);

type Listener = (message: AnyFeedMessage) => void;
const listeners = new Set<Listener>();

/** Every message, after it was folded. */
export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

let subscription: ReturnType<typeof subscribe> | null = null;
const learning = new Set<string>();
let missed: ReturnType<typeof setTimeout> | undefined;
let said = false;
/** The connection, while there is one; the machine may be offline, and it outlive that. */
let held: Link | null = null;

export function follow(collection: string): void {
  if (live.get().collection === collection && subscription) return;
  subscription?.close();
  live.set({ ...NOTHING, collection }, true);
  held = null;
  link.set({ is: "connecting" }, true);
  const mine = subscribe(ROOT.href, collection, { token: () => token() ?? "" });
  subscription = mine;
  const only =
    <Detail>(then: (detail: Detail) => void) =>
    ({ detail }: { detail: Detail }) => {
      if (subscription === mine) then(detail);
    };
  mine.addEventListener("subscribed", only(subscribed));
  mine.addEventListener("message", only(told));
  mine.addEventListener("disconnected", only(lost));
}

/** Ends the subscription; the next `follow` begins anew. */
export function forget(): void {
  subscription?.close();
  subscription = null;
  live.set(NOTHING, true);
}

/** Somebody, or the machine, has reason to believe that the connection can be had, or is gone. */
export function check(): void {
  if (!navigator.onLine) link.set({ is: "offline" }, true);
  else if (link.get().is === "offline" || link.get().is === "lost") link.set(held ?? { is: "connecting" }, true);
  subscription?.check();
}

addEventListener("online", check);
addEventListener("offline", check);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && check());

function fold(change: (batches: Batches) => Batches): void {
  live.update((now) => {
    const batches = change(now.batches);
    return batches === now.batches ? now : { ...now, batches, uploads: uploads(batches, now.uploads) };
  });
}

function subscribed({ recovered, snapshot: part, seq, way }: Subscribed): void {
  clearTimeout(missed);
  held = { is: "live", way };
  link.set(held, true);
  if (said) announce(TEXT.announce.back);
  said = false;
  if (recovered || !part) return;
  const views = part.batches;
  const before = live.get().batches;
  fold((batches) => begin(batches, views, seq));
  live.update((now) => ({ ...now, ready: true }), true);
  const known = new Set(views.map((view) => view.batch_id));
  for (const each of before.values()) if (!TERMINAL.has(each.status) && !known.has(each.batch_id)) learn(each.batch_id);
  void rest(part.next_cursor).catch(() => undefined);
}

/** Further parts of a snapshot. */
async function rest(cursor: string | null): Promise<void> {
  const { collection } = live.get();
  let next = cursor;
  while (next && collection) {
    const frames = await snapshot(collection, next);
    if (live.get().collection !== collection) return;
    next = null;
    for (const frame of frames) {
      if (!frame.snapshot) continue;
      const views = frame.snapshot.batches;
      fold((batches) => add(batches, views, frame.seq));
      next = frame.snapshot.next_cursor ?? null;
    }
  }
}

/** A batch that works has been heard of, or will be: an answer of a moment ago would count some of it twice. */
const settledOnly = (batches: Batches, views: readonly BatchView[]) =>
  views.filter((view) => batches.has(view.batch_id) || TERMINAL.has(view.status));

/** Batches of the collection that were asked for. */
export const learnBatches = (views: readonly BatchView[]): void => fold((batches) => add(batches, settledOnly(batches, views)));

function told(message: FeedMessage): void {
  fold((batches) => take(batches, message));
  if (live.get().batches.get(message.batch_id)?.vague) learn(message.batch_id);
  for (const listener of listeners) listener(message);
}

/** Asks for a batch, unless that is being done. */
function learn(id: string): void {
  if (learning.has(id)) return;
  learning.add(id);
  void refresh(id)
    .catch(() => undefined)
    .finally(() => learning.delete(id));
}

/** Where a batch stands, asked for until no message came meanwhile: an answer that travelled must not undo one. */
export async function refresh(id: string): Promise<BatchView> {
  for (;;) {
    const count = live.get().batches.get(id)?.told ?? 0;
    const view = await batch(id);
    if (view.collection_id !== live.get().collection) return view;
    const next = answered(live.get().batches, view, count);
    if (!next) continue;
    fold(() => next);
    return view;
  }
}

function lost({ final, code, reason, retryIn }: Disconnected): void {
  held = null;
  if (final) {
    link.set({ is: "refused", code, reason }, true);
    return;
  }
  link.set(navigator.onLine ? { is: "lost", until: Date.now() + (retryIn ?? 0) } : { is: "offline" }, true);
  clearTimeout(missed);
  missed = setTimeout(() => {
    said = true;
    announce(TEXT.announce.lost);
  }, LOST_FOR_MS);
}
