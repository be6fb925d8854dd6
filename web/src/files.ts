// The files that a table shows: fetched a page at a time, kept true by the messages of the feed. Nothing moves under a person's hand:
// what is new is counted, and shown when asked for.

import type { AnyFeedMessage, FileMessage, FileView } from "@quire/client/contract";
import { files as ask, type Wanted } from "./api/server";
import { listen } from "./live";
import { Store } from "./state/store";

export interface Listing {
  readonly items: readonly FileView[];
  /** Files that belong here and came since. */
  readonly fresh: number;
  /** Files whose text cannot be found yet. */
  readonly unindexed: number;
  readonly more: boolean;
  readonly state: "loading" | "ready" | "failed";
  readonly error: unknown;
}

const PAGE = 100;
const SETTLED_MS = 300;
const AGAIN_MS = 5000;
const EMPTY: Listing = { items: [], fresh: 0, unindexed: 0, more: false, state: "loading", error: null };

export class Files {
  readonly store = new Store<Listing>(EMPTY);
  #wanted: Wanted = {};
  #cursor: string | null = null;
  /** Where the last page began, and its coming. */
  #from: string | null = null;
  #coming: Promise<void> = Promise.resolve();
  #asked = 0;
  #new = new Set<string>();
  #stale = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #going = false;

  constructor() {
    listen((message) => this.#take(message));
  }

  get wanted(): Wanted {
    return this.#wanted;
  }

  /** Shows other files; the old ones stay until the new ones are here. */
  async show(wanted: Wanted): Promise<void> {
    this.#wanted = wanted;
    this.store.update((now) => ({ ...now, state: "loading" }), true);
    await this.#load(null);
  }

  again = (): Promise<void> => this.#load(null);

  /** The next page, unless one is on its way. */
  async more(): Promise<void> {
    if (this.#going || !this.#cursor) return;
    await this.#load(this.#cursor);
  }

  /** What came to the end of a list that is in the order of its upload, once all of it is here. */
  async further(): Promise<void> {
    await this.#coming;
    if (!this.#cursor) await this.#load(this.#from);
  }

  #load(cursor: string | null): Promise<void> {
    this.#coming = this.#fetch(cursor);
    return this.#coming;
  }

  async #fetch(cursor: string | null): Promise<void> {
    const number = ++this.#asked;
    this.#going = true;
    try {
      const page = await ask({ ...this.#wanted, limit: PAGE, cursor });
      if (number !== this.#asked) return; // a later question is on its way
      this.#cursor = page.next_cursor;
      this.#from = cursor;
      const before = cursor ? this.store.get().items : [];
      const known = new Set(before.map((file) => file.file_id));
      const items = [...before, ...page.items.filter((file) => !known.has(file.file_id))];
      if (!cursor) this.#new.clear();
      const { unindexed = 0, next_cursor } = page;
      this.store.set({ items, fresh: this.#new.size, unindexed, more: next_cursor !== null, state: "ready", error: null }, true);
    } catch (error) {
      if (number === this.#asked) this.store.update((now) => ({ ...now, state: "failed", error }), true);
    } finally {
      if (number === this.#asked) this.#going = false;
    }
  }

  /** Rows that are fetched again soon: their links and pictures are in no message. */
  outdated(ids: readonly string[]): void {
    for (const id of ids) this.#stale.add(id);
    this.#timer ??= setTimeout(() => void this.#renew(), SETTLED_MS);
  }

  #take(message: AnyFeedMessage): void {
    if (message.type === "BATCH_CREATED") {
      const { batch_id, q, request_id = message.request_id } = this.#wanted;
      const here = batch_id === undefined && q === undefined && request_id === message.request_id && this.#matches("queued");
      if (here) for (const file of message.files) this.#came(file.file_id);
    } else if (message.type === "FILES_PROCESSED") {
      this.#settled(message);
    } else if (message.type === "BATCH_RETRY_REQUESTED") {
      const again = new Set(message.file_ids);
      this.#change((file) => again.has(file.file_id), waiting);
    }
  }

  #settled(message: FileMessage): void {
    const known = this.store.get().items.some((file) => file.file_id === message.file_id);
    if (!known) {
      const { batch_id, request_id, q, status } = this.#wanted;
      if (!batch_id && !request_id && q === undefined && status && this.#matches(message.status)) this.#came(message.file_id);
      return;
    }
    this.#change(
      (file) => file.file_id === message.file_id,
      (file) => told(file, message),
    );
    this.outdated([message.file_id]);
  }

  #matches(standing: string): boolean {
    return !this.#wanted.status || this.#wanted.status.split(",").includes(standing);
  }

  #came(id: string): void {
    this.#new.add(id);
    this.store.update((now) => ({ ...now, fresh: this.#new.size }));
  }

  #change(which: (file: FileView) => boolean, how: (file: FileView) => FileView): void {
    this.store.update((now) => ({ ...now, items: now.items.map((file) => (which(file) ? how(file) : file)) }));
  }

  async #renew(): Promise<void> {
    const ids = [...this.#stale];
    this.#stale.clear();
    const rows = this.store.get().items.filter((file) => ids.includes(file.file_id));
    const batches = new Set(rows.map((file) => file.batch_id));
    let pause = SETTLED_MS;
    for (const batch_id of batches) {
      try {
        const answer = new Map((await ask({ batch_id, limit: PAGE })).items.map((file) => [file.file_id, file]));
        this.#change(
          (file) => answer.has(file.file_id),
          (file) => newer(file, answer.get(file.file_id)),
        );
      } catch {
        pause = AGAIN_MS;
        for (const file of rows) if (file.batch_id === batch_id) this.#stale.add(file.file_id);
      }
    }
    this.#timer = this.#stale.size ? setTimeout(() => void this.#renew(), pause) : undefined;
  }
}

/** An answer that travelled does not undo what a message said since. */
const newer = (file: FileView, answer: FileView | undefined): FileView =>
  answer && Date.parse(answer.updated_at) >= Date.parse(file.updated_at) ? { ...file, ...answer } : file;

const waiting = (file: FileView): FileView => ({
  ...file,
  processing_status: "queued",
  error_code: null,
  error_message: null,
  notices: [],
  links: { ...file.links, text: null, thumbnail: null },
});

const told = (file: FileView, message: FileMessage): FileView => ({
  ...file,
  processing_status: message.status,
  error_code: message.error_code ?? null,
  error_message: message.error_message ?? null,
  page_count: message.page_count ?? null,
  truncated: message.truncated ?? false,
  pages_read: message.pages_read ?? null,
  characters: message.characters ?? null,
  notices: message.notices ?? [],
  updated_at: message.at,
  duration_ms: message.duration_ms ?? null,
});
