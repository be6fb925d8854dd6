// What the page asks the server and tells it, by name.

import { ROOT } from "../address";
import type { AnyFeedMessage, BatchView, CommandAccepted, Config, FileView, Subscribed } from "../contract";
import { address, get, post } from "./http";
import { either, newest, requestsOf } from "./older";

export interface Listed<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

export interface Collection {
  readonly collection_id: string;
  readonly last_seq: number;
  readonly active: number;
  readonly files?: Readonly<Record<FileView["processing_status"], number>>;
}

/** An upload, as a person thinks of it. */
export interface Request {
  readonly request_id: string;
  readonly collection_id: string;
  readonly name: string | null;
  readonly status: string;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly batches: { readonly total: number; readonly ended: number };
  readonly files: { readonly total: number } & Readonly<Record<FileView["processing_status"], number>>;
  readonly bytes: number | null;
  readonly pages: number | null;
}

let known: Config | null = null;

/** Asked for once. */
export const config = async (): Promise<Config> => (known ??= await get<Config>("api/config"));

export const limits = () => known?.limits ?? null;
export const asksForToken = () => known?.auth === "jwt";
export const ingest = (): URL => (known?.ingest_url ? new URL(known.ingest_url.replace(/\/?$/, "/")) : ROOT);

export const collections = () => get<Listed<Collection>>("api/collections", { limit: 500 });
export const batch = (id: string) => get<BatchView>(`api/batches/${id}`);
export const file = (id: string) => get<FileView>(`api/files/${id}`);
export const snapshot = (collection: string, cursor: string) =>
  get<readonly Subscribed[]>(`api/collections/${encodeURIComponent(collection)}/snapshot`, { cursor });

export interface Wanted {
  readonly collection_id?: string;
  readonly batch_id?: string;
  readonly request_id?: string;
  readonly status?: string | undefined;
  readonly q?: string | undefined;
  readonly in?: string | undefined;
  readonly limit?: number;
  readonly cursor?: string | null;
}

export const files = (wanted: Wanted) =>
  get<Listed<FileView>>("api/files", { ...wanted, name: wanted.in === "text" ? null : wanted.q });

/** The batches that were created last, whose messages do not say to which request they belong. */
export const newestBatches = newest;

/** The uploads that have ended, the newest first. */
export const requests = (collection_id: string, cursor: string | null): Promise<Listed<Request>> =>
  either(
    () => get<Listed<Request>>("api/requests", { collection_id, limit: 20, cursor }),
    async () => ({ items: requestsOf(await newest(collection_id)), next_cursor: null }),
  );

/** All batches of an upload. */
export const batchesOf = async (collection_id: string, request_id: string): Promise<readonly BatchView[]> => {
  const found: BatchView[] = [];
  let cursor: string | null = null;
  do {
    const page: Listed<BatchView> = await get("api/batches", { collection_id, request_id, limit: 500, cursor });
    found.push(...page.items.filter((each) => each.request_id === request_id));
    cursor = found.length ? page.next_cursor : null;
  } while (cursor);
  return found;
};

export const cancelBatch = (id: string) => post<CommandAccepted>(ingest(), `api/batches/${id}/cancel`);
export const retryBatch = (id: string, file_ids?: readonly string[]) =>
  post<CommandAccepted>(ingest(), `api/batches/${id}/retry`, file_ids ? { file_ids } : {});

/** Messages of one batch that the feed still holds, the oldest first. */
export async function history(collection: string, batch_id: string): Promise<readonly AnyFeedMessage[]> {
  const path = `api/collections/${encodeURIComponent(collection)}/feed`;
  const found: AnyFeedMessage[] = [];
  let after: number | null = 0;
  while (after !== null) {
    const page: { items: readonly AnyFeedMessage[]; next_cursor: number | null } = await get<typeof page>(path, {
      after,
      limit: 500,
      batch_id,
    }).catch(async (error) => {
      const pruned = Number(error?.body?.pruned_to);
      if (!(pruned > (after ?? 0))) throw error;
      return { items: [], next_cursor: pruned }; // older messages are gone
    });
    found.push(...page.items.filter((message) => message.batch_id === batch_id));
    after = page.next_cursor;
  }
  return found;
}

/** Where a link of the API leads: they are relative to the notifier's address. */
export const linked = (link: string): string => new URL(link, ROOT).href;

export const exported = (
  kind: "text" | "original" | "report",
  format: "zip" | "jsonl" | "csv",
  of: Record<string, string>,
): string => address(ROOT, "api/export", { kind, format, ...of }).href;
