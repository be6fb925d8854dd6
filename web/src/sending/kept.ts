// Uploads that have not ended, kept by the browser, so that a reload, or a crash, does not lose them. Their key is the one of the
// request: what Quire has already is not doubled.

import { createStore, del, entries, set, update } from "idb-keyval";

export interface Kept {
  readonly key: string;
  readonly name: string;
  readonly collection: string;
  readonly policy: string;
  readonly folder: boolean;
  /** Path and size of each file, in the order in which they are sent. */
  readonly manifest: readonly (readonly [string, number])[];
  readonly handles: readonly FileSystemHandle[];
  readonly at: number;
  readonly request?: string;
}

const KEPT_MS = 7 * 86_400_000;
const TAB = "quire-uploads";
const database = () => createStore("quire", "uploads");

/** While the tab lives that sends it, no other one takes an upload up. */
export async function keep(upload: Kept): Promise<void> {
  sessionStorage.setItem(TAB, [...mine(), upload.key].join(" "));
  await set(upload.key, upload, database()).catch(() => undefined); // a browser that keeps nothing sends all the same
}

/** As which request it arrives. */
export async function note(key: string, request: string): Promise<void> {
  await update<Kept | undefined>(key, (upload) => upload && { ...upload, request }, database()).catch(() => undefined);
}

export async function drop(key: string): Promise<void> {
  await del(key, database()).catch(() => undefined);
}

const mine = () => (sessionStorage.getItem(TAB) ?? "").split(" ").filter(Boolean);
const lockOf = (key: string) => `quire-upload-${key}`;

/** Held until `over` resolves. */
export function hold(key: string, over: Promise<unknown>): void {
  void navigator.locks?.request(lockOf(key), { ifAvailable: true }, () => over.catch(() => undefined));
}

/** Those that no tab is sending. */
export async function interrupted(): Promise<readonly Kept[]> {
  const all = await entries<string, Kept>(database()).catch(() => []);
  const held = new Set((await navigator.locks?.query())?.held?.map((lock) => lock.name));
  const found: Kept[] = [];
  for (const [key, upload] of all) {
    if (Date.now() - upload.at > KEPT_MS) await drop(key);
    else if (navigator.locks ? !held.has(lockOf(key)) : mine().includes(key)) found.push(upload);
  }
  return found.sort((a, b) => a.at - b.at);
}
