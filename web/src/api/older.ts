// Notifiers and ingests without requests as things of their own: the page then makes them from batches. Goes with the last of them.

import type { BatchView } from "../contract";
import { get, Refused } from "./http";
import type { Listed, Request } from "./server";

const missing = (error: unknown) => error instanceof Refused && error.status === 404;
let older: boolean | null = null;

/** Whether this server knows requests; unknown until it was asked. */
export const knowsRequests = (): boolean => older === false;

/** What the server says; where it does not know the question, what can be made of its batches. */
export async function either<Answer>(ask: () => Promise<Answer>, instead: () => Promise<Answer>): Promise<Answer> {
  if (older === true) return instead();
  try {
    const answer = await ask();
    older = false;
    return answer;
  } catch (error) {
    if (older === false || !missing(error)) throw error;
    older = true;
    return instead();
  }
}

export const newest = async (collection_id: string, limit = 500): Promise<readonly BatchView[]> =>
  (await get<Listed<BatchView>>("api/batches", { collection_id, limit })).items;

/** The requests of these batches, the newest first. */
export function requestsOf(batches: readonly BatchView[]): Request[] {
  const parts = new Map<string, BatchView[]>();
  for (const batch of batches) parts.set(batch.request_id, [...(parts.get(batch.request_id) ?? []), batch]);
  return [...parts.values()].map(made);
}

const ENDED = new Set(["completed", "completed_with_errors", "failed", "cancelled"]);

function made(batches: readonly BatchView[]): Request {
  const [first] = batches as [BatchView];
  const ended = batches.filter((batch) => ENDED.has(batch.status));
  const sum = (field: "total" | "processed" | "failed" | "cancelled") =>
    batches.reduce((total, batch) => total + batch[field], 0);
  const ends = ended.map((batch) => batch.ended_at ?? "").sort();
  const files = {
    total: sum("total"),
    processed: sum("processed"),
    failed: sum("failed"),
    cancelled: sum("cancelled"),
    processing: 0,
  };
  return {
    request_id: first.request_id,
    collection_id: first.collection_id,
    name: null,
    status: ended.length === batches.length ? "ended" : "processing",
    created_at: batches.map((batch) => batch.created_at).sort()[0] ?? first.created_at,
    started_at:
      batches
        .map((batch) => batch.started_at ?? "")
        .filter(Boolean)
        .sort()[0] ?? null,
    ended_at: ended.length === batches.length ? (ends.at(-1) ?? null) : null,
    batches: { total: batches.length, ended: ended.length },
    files: { ...files, queued: files.total - files.processed - files.failed - files.cancelled },
    bytes: null,
    pages: null,
  };
}
