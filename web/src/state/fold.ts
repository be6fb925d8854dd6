// Where every batch of a collection stands: a pure fold over what the API shows of batches, and the messages of the feed.

import type { AnyFeedMessage, BatchView, FilePosition, FileView } from "@quire/client/contract";
import { CHANGES } from "./changes";

export type Standing = FileView["processing_status"];
export type Status = BatchView["status"];

export const TERMINAL: ReadonlySet<Status> = new Set(["completed", "completed_with_errors", "failed", "cancelled"]);

/** A file of a batch, as far as a sheet shows it. */
export interface Sheet {
  readonly file_id: string;
  readonly filename: string;
  readonly size: number;
  readonly standing: Standing;
}

/** A batch as the API shows it. `sheets` in the order of the upload; null: not known, the numbers are. Messages up to `as_of` are in it;
 * `told` counts those that came since. `vague`: some of it has to be asked for. */
export interface Batch {
  readonly batch_id: string;
  readonly request_id: string | null;
  readonly request_name: string | null;
  readonly policy: BatchView["policy"] | null;
  readonly status: Status;
  readonly generation: number;
  readonly attempt: number;
  readonly stage: BatchView["stage"] | "released";
  readonly total: number;
  readonly processed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly last_seen_at: string | null;
  readonly error_code: BatchView["error_code"];
  readonly error_message: string | null;
  readonly in_flight: readonly FilePosition[];
  readonly waiting_for: readonly string[];
  readonly sheets: readonly Sheet[] | null;
  readonly as_of: number;
  readonly told: number;
  readonly vague: boolean;
}

export type Batches = ReadonlyMap<string, Batch>;

export const NONE: Batches = new Map();

/** A snapshot replaces everything that had not ended; what had ended stays, as of another epoch. */
export function begin(batches: Batches, views: readonly BatchView[], seq: number): Batches {
  const ended = [...batches.values()].filter((batch) => TERMINAL.has(batch.status)).map((batch) => ({ ...batch, as_of: 0 }));
  const fresh = views.map((view) => seen(batches.get(view.batch_id), view, seq));
  return new Map([...ended, ...fresh].map((batch) => [batch.batch_id, batch]));
}

/** Batches that were asked for; those that have been heard of meanwhile are newer, and only learn what no message tells. */
export function add(batches: Batches, views: readonly BatchView[], seq = 0): Batches {
  const next = new Map(batches);
  for (const view of views) {
    const known = next.get(view.batch_id);
    next.set(view.batch_id, known ? learnt(known, view) : seen(undefined, view, seq));
  }
  return next;
}

/** What was asked for when `told` messages had come about the batch; null: more have come since, so it has to be asked for again. */
export function answered(batches: Batches, view: BatchView, told: number): Batches | null {
  const known = batches.get(view.batch_id);
  if (known && known.told !== told) return null;
  return new Map(batches).set(view.batch_id, seen(known, view, known?.as_of ?? 0));
}

/** The next message of the feed. */
export function take(batches: Batches, message: AnyFeedMessage): Batches {
  const batch = batches.get(message.batch_id) ?? unknown(message);
  if (message.seq <= batch.as_of) return batches;
  const changed = CHANGES[message.type](batch, message as never);
  return new Map(batches).set(message.batch_id, { ...batch, ...changed, told: batch.told + 1 });
}

function seen(known: Batch | undefined, view: BatchView, as_of: number): Batch {
  const { files, in_flight, collection_id: _, worker: __, ...rest } = view;
  const sheets = files ? files.map(sheet) : null;
  const request_name = known?.request_name ?? null;
  return {
    waiting_for: [],
    request_name,
    ...rest,
    in_flight: in_flight ?? [],
    sheets,
    as_of,
    told: known?.told ?? 0,
    vague: false,
  };
}

const sheet = (file: FileView): Sheet => ({
  file_id: file.file_id,
  filename: file.original_filename,
  size: file.file_size,
  standing: file.processing_status,
});

const learnt = (known: Batch, view: BatchView): Batch => ({ ...known, request_id: view.request_id, policy: view.policy });

function unknown({ batch_id, at, type }: AnyFeedMessage): Batch {
  return {
    batch_id,
    request_id: null,
    request_name: null,
    policy: null,
    status: "queued",
    generation: 0,
    attempt: 0,
    stage: null,
    total: 0,
    processed: 0,
    failed: 0,
    cancelled: 0,
    created_at: at,
    started_at: null,
    ended_at: null,
    last_seen_at: null,
    error_code: null,
    error_message: null,
    in_flight: [],
    waiting_for: [],
    sheets: null,
    as_of: 0,
    told: 0,
    vague: type !== "BATCH_CREATED",
  };
}

/** How many files are settled. */
export const settled = (batch: Pick<Batch, "processed" | "failed" | "cancelled">) =>
  batch.processed + batch.failed + batch.cancelled;
