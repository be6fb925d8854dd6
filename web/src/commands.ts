// What a person tells Quire to do with batches, uploads and files, and what is said when it is not done.

import { say } from "./announce";
import { said } from "./api/http";
import { batchesOf, cancelBatch, retryBatch } from "./api/server";
import type { BatchView, FileView } from "./contract";
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

/** One that has ended meanwhile needs no cancelling. */
export const cancelBatches = (ids: readonly string[]): Promise<boolean> =>
  each(ids.filter(still), (id) =>
    cancelBatch(id).catch((error) => (error?.code === "batch_ended" ? null : Promise.reject(error))),
  );

/** The failed and cancelled files of these batches. */
export const retryBatches = (ids: readonly string[]): Promise<boolean> => each(ids, (id) => retryBatch(id));

/** The failed and cancelled files of an upload. */
export async function retryUpload(collection: string, request: string): Promise<boolean> {
  const known = live.get().uploads.find((upload) => upload.request_id === request)?.batches;
  try {
    const views: readonly Pick<BatchView, "batch_id" | "failed" | "cancelled">[] =
      known ?? (await batchesOf(collection, request));
    return await retryBatches(views.filter((view) => view.failed + view.cancelled).map((view) => view.batch_id));
  } catch (error) {
    say(said(error), true);
    return false;
  }
}

/** These files, batch by batch. */
export async function retryFiles(files: readonly FileView[]): Promise<boolean> {
  const parts = new Map<string, string[]>();
  for (const file of files) parts.set(file.batch_id, [...(parts.get(file.batch_id) ?? []), file.file_id]);
  const done = await each([...parts], ([batch, ids]) => retryBatch(batch, ids));
  if (done) say(TEXT.table.retried(files.length));
  return done;
}
