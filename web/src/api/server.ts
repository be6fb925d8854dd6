// What the page asks the server and tells it, by name.

import type {
  AnyFeedMessage,
  BatchView,
  CollectionView,
  CommandAccepted,
  Config,
  FailureView,
  FileView,
  RequestCommandAccepted,
  RequestView,
  Subscribed,
} from "@quire/client/contract";
import { ROOT } from "../address";
import { address, get, post } from "./http";

export interface Listed<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

let known: Config | null = null;

/** Asked for once. */
export const config = async (): Promise<Config> => (known ??= await get<Config>("api/config"));

export const limits = () => known?.limits ?? null;
export const asksForToken = () => known?.auth === "jwt";
export const ingest = (): URL => (known?.ingest_url ? new URL(known.ingest_url.replace(/\/?$/, "/")) : ROOT);

export const collections = () => get<Listed<CollectionView>>("api/collections", { limit: 500 });
export const batch = (id: string) => get<BatchView>(`api/batches/${id}`);
export const file = (id: string) => get<FileView>(`api/files/${id}`);
export const request = (id: string) => get<RequestView>(`api/requests/${id}`);
export const snapshot = (collection: string, cursor: string) =>
  get<readonly Subscribed[]>(`api/collections/${encodeURIComponent(collection)}/snapshot`, { cursor });

/** How many of its files stand how; null: nothing was ever uploaded to it. */
export const countsOf = async (collection_id: string): Promise<CollectionView["files"] | null> =>
  (await get<Listed<CollectionView>>("api/collections", { collection_id })).items[0]?.files ?? null;

/** Why files of an upload failed, the most frequent reason first. */
export const failures = async (id: string): Promise<readonly FailureView[]> =>
  (await get<Listed<FailureView>>(`api/requests/${id}/failures`)).items;

/** The same of a collection, with uploads in which such files can be retried: this many at most. */
export const MOST_REQUESTS = 100;
export const failuresOf = async (collection_id: string): Promise<readonly FailureView[]> =>
  (await get<Listed<FailureView>>("api/failures", { collection_id })).items;

export interface Wanted {
  readonly collection_id?: string;
  readonly request_id?: string;
  readonly batch_id?: string;
  readonly status?: string | undefined;
  readonly q?: string | undefined;
  readonly in?: "name" | "text";
  readonly order?: "newest" | "upload";
  readonly limit?: number;
  readonly cursor?: string | null;
}

export interface Found extends Listed<FileView> {
  /** Of a search in texts: files that cannot be found yet. */
  readonly unindexed?: number;
}

export const files = (wanted: Wanted) => get<Found>("api/files", { ...wanted });

const ACTIVE: readonly RequestView["status"][] = ["queued", "processing"];
const ENDED: readonly RequestView["status"][] = ["completed", "completed_with_errors", "failed", "cancelled"];

/** Uploads that have not ended. */
export const activeRequests = async (collection_id: string): Promise<readonly RequestView[]> =>
  (await get<Listed<RequestView>>("api/requests", { collection_id, status: ACTIVE.join(), limit: 100 })).items;

/** Those that have, the newest first. */
export const endedRequests = (collection_id: string, cursor: string | null) =>
  get<Listed<RequestView>>("api/requests", { collection_id, status: ENDED.join(), limit: 20, cursor });

/** What `ask` lists, page after page. */
async function every<Item, Cursor>(
  ask: (cursor: Cursor | null) => Promise<{ readonly items: readonly Item[]; readonly next_cursor: Cursor | null }>,
): Promise<readonly Item[]> {
  const found: Item[] = [];
  let cursor: Cursor | null = null;
  do {
    const page = await ask(cursor);
    found.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found;
}

/** All batches of an upload. */
export const batchesOf = (collection_id: string, request_id: string) =>
  every<BatchView, string>((cursor) => get("api/batches", { collection_id, request_id, limit: 500, cursor }));

/** Messages of one batch that the feed still holds, the oldest first. */
export const history = (batch_id: string) =>
  every<AnyFeedMessage, number>((after) => get("api/feed", { batch_id, limit: 500, after }));

export const cancelBatch = (id: string) => post<CommandAccepted>(ingest(), `api/batches/${id}/cancel`);
export const retryBatch = (id: string, file_ids?: readonly string[]) =>
  post<CommandAccepted>(ingest(), `api/batches/${id}/retry`, file_ids ? { file_ids } : {});
export const cancelRequest = (id: string) => post<RequestCommandAccepted>(ingest(), `api/requests/${id}/cancel`);
export const retryRequest = (id: string, codes?: readonly FailureView["code"][]) =>
  post<RequestCommandAccepted>(ingest(), `api/requests/${id}/retry`, codes ? { codes } : {});

/** Where a link of the API leads: they are relative to the notifier's address. */
export const linked = (link: string): string => new URL(link, ROOT).href;

/** What is taken out: of a collection, an upload or a batch, or files by their ids, with commas. */
export interface Export {
  readonly kind: "text" | "original" | "report";
  readonly format: "zip" | "jsonl" | "csv";
  readonly of: {
    readonly collection_id?: string;
    readonly request_id?: string;
    readonly batch_id?: string;
    readonly file_id?: string;
  };
}

/** Its address: a signed one, where a download would have to show a token, which no browser lets it. */
export async function exported({ kind, format, of }: Export): Promise<string> {
  const query = { kind, format, ...of };
  if (!asksForToken()) return address(ROOT, "api/export", query).href;
  return linked((await get<{ readonly link: string }>("api/export/link", query)).link);
}
