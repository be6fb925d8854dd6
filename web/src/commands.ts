// What a person tells Quire to do with batches, uploads and files, and what is said when it is not done.

import type { FailureView, FileView, RequestCommandAccepted } from "@quire/client/contract";
import { say } from "./announce";
import { Refused, said } from "./api/http";
import { cancelBatch, cancelRequest, retryBatch, retryRequest } from "./api/server";
import { live } from "./live";
import { TERMINAL } from "./state/fold";
import { TEXT } from "./texts";

/** Each of them, a few at a time; says what went wrong, once. True: nothing did. */
async function each<Item>(items: readonly Item[], does: (item: Item) => Promise<unknown>): Promise<boolean> {
  const errors: unknown[] = [];
  for (let at = 0; at < items.length; at += 6) {
    const outcomes = await Promise.allSettled(items.slice(at, at + 6).map(does));
    errors.push(...outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : [])));
  }
  if (errors.length) say(said(errors[0]), true);
  return !errors.length;
}

const still = (id: string) => {
  const status = live.get().batches.get(id)?.status;
  return status === undefined || !TERMINAL.has(status);
};

/** What is as it should be: it has ended by itself meanwhile. */
function unlessEnded(error: unknown): null {
  if (error instanceof Refused && error.code === "batch_ended") return null;
  throw error;
}

/** One that has ended meanwhile needs no cancelling. */
export const cancelBatches = (ids: readonly string[]): Promise<boolean> =>
  each(ids.filter(still), (id) => cancelBatch(id).catch(unlessEnded));

export const cancelUpload = (request: string): Promise<boolean> =>
  each([request], async (id) => whole(await cancelRequest(id).catch(unlessEnded), "batch_ended"));

/** The failed and cancelled files of these batches. */
export const retryBatches = (ids: readonly string[]): Promise<boolean> => each(ids, (id) => retryBatch(id));

/** The failed and cancelled files of an upload, or those that failed for these reasons. */
export const retryUpload = (request: string, codes?: readonly FailureView["code"][]): Promise<boolean> =>
  retryUploads([request], codes);

export const retryUploads = (requests: readonly string[], codes?: readonly FailureView["code"][]): Promise<boolean> =>
  each(requests, async (id) => whole(await retryRequest(id, codes), "nothing_to_retry"));

/** Says how many batches of an upload refused, but those that answered with `fine`. */
function whole(answer: RequestCommandAccepted | null, fine: string): void {
  const refused = answer?.batches.filter(({ status, code }) => status !== 202 && code !== fine).length ?? 0;
  if (refused) say(TEXT.batch.notAll(refused), true);
}

/** These files, batch by batch. */
export async function retryFiles(files: readonly FileView[]): Promise<boolean> {
  const parts = new Map<string, string[]>();
  for (const file of files) parts.set(file.batch_id, [...(parts.get(file.batch_id) ?? []), file.file_id]);
  const done = await each([...parts], ([batch, ids]) => retryBatch(batch, ids));
  if (done) say(TEXT.table.retried(files.length));
  return done;
}
