// Uploads, as people think of them: the batches of one request together. Pure.

import { type Batch, type Batches, TERMINAL } from "./fold";

export type Outcome = "working" | "done" | "failed" | "cancelled";

export interface Upload {
  readonly request_id: string;
  /** Null where no message has told it. */
  readonly name: string | null;
  readonly batches: readonly Batch[];
  readonly total: number;
  readonly processed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Files that are being read right now. */
  readonly working: number;
  readonly active: boolean;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly last_seen_at: string | null;
  readonly attempt: number;
}

/** The uploads of these batches, the newest first; one whose batches are the same objects as before stays the same object. */
export function uploads(batches: Batches, before: readonly Upload[]): readonly Upload[] {
  const known = new Map(before.map((upload) => [upload.request_id, upload]));
  const parts = new Map<string, Batch[]>();
  for (const batch of batches.values()) {
    if (!batch.request_id) continue;
    const part = parts.get(batch.request_id);
    if (part) part.push(batch);
    else parts.set(batch.request_id, [batch]);
  }
  const made = [...parts].map(([id, some]) => {
    const old = known.get(id);
    some.sort(byAge);
    return old && same(old.batches, some) ? old : upload(id, some);
  });
  made.sort((a, b) =>
    a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : a.request_id < b.request_id ? 1 : -1,
  );
  return same(before, made) ? before : made;
}

const byAge = (a: Batch, b: Batch) =>
  a.created_at === b.created_at ? (a.batch_id < b.batch_id ? -1 : 1) : a.created_at < b.created_at ? -1 : 1;

export const same = <Item>(a: readonly Item[], b: readonly Item[]) =>
  a.length === b.length && a.every((item, place) => item === b[place]);

function upload(request_id: string, batches: readonly Batch[]): Upload {
  const sum = (field: "total" | "processed" | "failed" | "cancelled") =>
    batches.reduce((total, batch) => total + batch[field], 0);
  const active = batches.some((batch) => !TERMINAL.has(batch.status));
  return {
    request_id,
    name: batches.find((batch) => batch.request_name)?.request_name ?? null,
    batches,
    total: sum("total"),
    processed: sum("processed"),
    failed: sum("failed"),
    cancelled: sum("cancelled"),
    working: batches.reduce((count, batch) => count + batch.in_flight.length, 0),
    active,
    created_at: batches[0]?.created_at ?? "",
    started_at: least(batches.map((batch) => batch.started_at)),
    ended_at: active ? null : most(batches.map((batch) => batch.ended_at)),
    last_seen_at: most(batches.map((batch) => batch.last_seen_at)),
    attempt: Math.max(...batches.map((batch) => batch.attempt)),
  };
}

const times = (some: readonly (string | null)[]) => some.filter((time) => time !== null).sort();
const least = (some: readonly (string | null)[]) => times(some)[0] ?? null;
const most = (some: readonly (string | null)[]) => times(some).at(-1) ?? null;

/** How it ended; never done where a file of it is not. */
export function outcome({ active, failed, cancelled }: Pick<Upload, "active" | "failed" | "cancelled">): Outcome {
  if (active) return "working";
  return failed ? "failed" : cancelled ? "cancelled" : "done";
}

/** A shared file moves on without the others: which of the batches a card draws. Those that work, then the next one that waits. */
export function shown(batches: readonly Batch[], most: number): readonly Batch[] {
  const working = batches.filter((batch) => batch.status === "processing");
  const last = batches.filter((batch) => TERMINAL.has(batch.status)).slice(-1);
  const waiting = batches.filter((batch) => batch.status === "queued");
  const room = Math.max(0, most - working.length - last.length);
  return [...last, ...working, ...waiting.slice(0, room)].slice(0, Math.max(most, 1));
}
