// The page's fold against histories that the Python fold has told: tests/page/histories.py writes them.

import type { AnyFeedMessage, BatchView } from "@quire/client/contract";
import { describe, expect, test } from "vitest";
import { add, answered, type Batch, begin, NONE, take } from "../src/state/fold";
import histories from "./histories.json";

interface Then extends Record<string, unknown> {
  readonly files: Readonly<Record<string, string>>;
}

interface Told {
  readonly message: AnyFeedMessage;
  readonly then: Then | null;
}

const STORIES = (histories as unknown as readonly { told: readonly Told[] }[]).map(({ told }) => told);

/** The batch in the words of the fixture. `in_flight` without what Python leaves out. */
function standing(batch: Batch | undefined, fields: readonly string[]): Record<string, unknown> {
  const known: Record<string, unknown> = { ...batch };
  return Object.fromEntries(fields.map((field) => [field, known[field]]));
}

const without = (then: Then, ...names: string[]) =>
  Object.fromEntries(Object.entries(then).filter(([name]) => !names.includes(name)));

const only = (batches: ReadonlyMap<string, Batch>) => [...batches.values()][0];

function viewOf(then: Then, id: string): BatchView {
  const numbers = without(then, "files");
  return {
    ...numbers,
    batch_id: id,
    collection_id: "invoices",
    request_id: "r",
    policy: "isolate",
    worker: null,
  } as unknown as BatchView;
}

describe.each(STORIES.map((told, number) => ({ number, told })))("history $number", ({ told }) => {
  test("each message leaves the batch as the Python fold says", () => {
    let batches = NONE;
    for (const { message, then } of told) {
      batches = take(batches, message);
      if (!then) continue;
      const batch = only(batches);
      const expected = without(then, "files");
      expect(standing(batch, Object.keys(expected))).toEqual(expected);
      expect(Object.fromEntries(batch?.sheets?.map((sheet) => [sheet.file_id, sheet.standing]) ?? [])).toEqual(then.files);
    }
  });

  test("whoever comes later, to a snapshot without files, sees the same numbers, or knows to ask", () => {
    told.forEach(({ then: start }, at) => {
      if (!start) return;
      const seq = told[at]?.message.seq ?? 0;
      const id = told[at]?.message.batch_id ?? "";
      let batches = begin(NONE, [viewOf(start, id)], seq);
      for (const { message, then } of told.slice(at + 1)) {
        batches = take(batches, message);
        const batch = only(batches);
        if (batch?.vague && then) batches = answered(batches, viewOf(then, id), batch.told) ?? batches;
        if (then) expect(standing(only(batches), Object.keys(without(then, "files")))).toEqual(without(then, "files"));
      }
    });
  });

  test("messages that a snapshot holds already change nothing", () => {
    const last = told.at(-1);
    if (!last?.then) return;
    const batches = begin(NONE, [viewOf(last.then, last.message.batch_id)], last.message.seq);
    expect(told.reduce((now, { message }) => take(now, message), batches)).toBe(batches);
  });
});

describe("what is asked for", () => {
  const told = STORIES[0] as readonly Told[];
  const { message, then } = told[told.length - 1] as Told;
  const batches = told.reduce((now, each) => take(now, each.message), NONE);

  test("an answer older than a message does not undo it", () => {
    expect(answered(batches, viewOf(then as Then, message.batch_id), told.length - 1)).toBeNull();
    expect(answered(batches, viewOf(then as Then, message.batch_id), told.length)).not.toBeNull();
  });

  test("a list teaches a batch that was heard of only what no message tells", () => {
    const old = { ...viewOf(then as Then, message.batch_id), processed: 99, request_id: "theirs" };
    const batch = only(add(batches, [old]));
    expect(batch?.request_id).toBe("theirs");
    expect(batch?.processed).toBe(only(batches)?.processed);
  });

  test("a later snapshot forgets what it does not name, but for what has ended", () => {
    const active = take(NONE, { ...(told[0] as Told).message });
    expect(begin(active, [], 100).size).toBe(0);
  });
});

test("after a retry nothing of the old failure is left", () => {
  const at = "2026-11-26T12:00:00Z";
  const base = { batch_id: "b1", collection_id: "c", at };
  const failed = {
    ...base,
    request_id: "r",
    policy: "isolate",
    worker: null,
    created_at: at,
    status: "failed",
    total: 2,
    processed: 0,
    failed: 2,
    cancelled: 0,
    attempt: 1,
    generation: 0,
    stage: null,
    started_at: at,
    ended_at: at,
    last_seen_at: at,
    error_code: "all_files_failed",
    error_message: "Every file failed.",
  } as unknown as BatchView;
  let batches = add(NONE, [failed]);
  batches = take(batches, { ...base, seq: 1, type: "BATCH_RETRY_REQUESTED", file_ids: ["f1", "f2"], generation: 1 });
  expect(only(batches)).toMatchObject({ status: "queued", failed: 0, error_message: null, error_code: null, ended_at: null });
  batches = take(batches, { ...base, seq: 2, type: "BATCH_PROCESSING_STARTED", attempt: 2, total: 2 });
  batches = take(batches, { ...base, seq: 3, type: "FILES_PROCESSED", file_id: "f1", filename: "a.pdf", status: "processed" });
  expect(only(batches)).toMatchObject({ processed: 1, failed: 0 });
});

describe("a collection of which only the numbers are known", () => {
  const active = (batch_id: string, more: Partial<BatchView> = {}) =>
    ({
      batch_id,
      request_id: "r",
      policy: "isolate",
      worker: null,
      status: "processing",
      total: 4,
      processed: 1,
      failed: 0,
      cancelled: 0,
      in_flight: [],
      ...more,
    }) as unknown as BatchView;
  const message = (seq: number, type: AnyFeedMessage["type"], batch_id: string, more: object) =>
    ({ seq, type, batch_id, collection_id: "c", at: "2026-01-01T00:00:00Z", ...more }) as AnyFeedMessage;
  const settled = (seq: number, batch_id: string, file_id: string, status = "processed") =>
    message(seq, "FILES_PROCESSED", batch_id, { file_id, filename: `${file_id}.pdf`, status });
  const numbers = (batch: Batch | undefined) => batch && [batch.processed, batch.failed, batch.total];
  const position = { file_id: "f", filename: "f.pdf", stage: "extracting", page: 1, pages: 2 } as const;

  test("counts files that no snapshot names", () => {
    let batches = begin(NONE, [active("a", { in_flight: [position] })], 3);
    batches = take(take(batches, settled(4, "a", "f")), settled(5, "a", "g", "failed"));
    expect([numbers(batches.get("a")), batches.get("a")?.in_flight]).toEqual([[2, 1, 4], []]);
  });

  test("asks for a batch that it was never told of, and a part of the snapshot that is older changes nothing", () => {
    let batches = take(NONE, settled(6, "unknown", "h"));
    expect(batches.get("unknown")?.vague).toBe(true);
    batches = add(batches, [active("unknown"), active("b", { processed: 2 })], 8);
    expect(numbers(batches.get("unknown"))).toEqual([1, 0, 0]);
    expect(numbers(take(batches, settled(7, "b", "i")).get("b"))).toEqual([2, 0, 4]);
    expect(numbers(take(batches, settled(9, "b", "j")).get("b"))).toEqual([3, 0, 4]);
  });

  test("asks where a retry leaves the numbers open; then each file is counted, whatever an older message says", () => {
    let batches = take(
      begin(NONE, [active("b", { processed: 3 })], 1),
      message(2, "BATCH_RETRY_REQUESTED", "b", { file_ids: ["k"], generation: 1 }),
    );
    const asked = batches.get("b");
    expect(asked?.vague).toBe(true);
    const files = ["i", "j", "k", "l"].map((file_id) => ({
      file_id,
      processing_status: file_id === "i" ? "processed" : "queued",
    }));
    batches = answered(batches, active("b", { files } as unknown as Partial<BatchView>), asked?.told ?? 0) ?? NONE;
    batches = take(
      batches,
      message(11, "BATCH_PROCESSING_PROGRESS", "b", { stage: "heartbeat", processed: 3, failed: 0, total: 4, in_flight: [] }),
    );
    expect([numbers(batches.get("b")), batches.get("b")?.vague]).toEqual([[1, 0, 4], false]);
  });
});
