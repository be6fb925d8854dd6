// What the page says of numbers, names and uploads.

import { describe, expect, test } from "vitest";
import type { Batch } from "../src/state/fold";
import { age, bytes, day, duration, left, split } from "../src/state/format";
import { outcome, pace, shown, type Upload, uploads } from "../src/state/uploads";

const T = "2026-11-26T12:00:00Z";

const batch = (id: string, more: Partial<Batch> = {}): Batch =>
  ({
    batch_id: id,
    request_id: "r",
    status: "completed",
    total: 25,
    processed: 25,
    failed: 0,
    cancelled: 0,
    attempt: 1,
    created_at: T,
    started_at: T,
    ended_at: T,
    last_seen_at: T,
    in_flight: [],
    waiting_for: [],
    sheets: null,
    ...more,
  }) as Batch;

const all = (...batches: Batch[]) => new Map(batches.map((each) => [each.batch_id, each]));

describe("an upload", () => {
  test("is active while one of its batches is, and counts all of them", () => {
    const [upload] = uploads(all(batch("a"), batch("b", { status: "queued", processed: 0, ended_at: null })), []);
    expect(upload).toMatchObject({ total: 50, processed: 25, active: true, ended_at: null });
  });

  test("whose batches have not changed is the same object: its card is not drawn anew", () => {
    const a = batch("a");
    const before = uploads(all(a, batch("x", { request_id: "other" })), []);
    const after = uploads(all(a, batch("x", { request_id: "other", processed: 3 })), before);
    expect(after.find((each) => each.request_id === "r")).toBe(before.find((each) => each.request_id === "r"));
    expect(uploads(all(...after.flatMap((each) => each.batches)), after)).toBe(after);
  });

  test("that lost a file, or was cancelled, never looks done", () => {
    expect(outcome({ active: false, failed: 1, cancelled: 0 })).toBe("failed");
    expect(outcome({ active: false, failed: 0, cancelled: 1 })).toBe("cancelled");
    expect(outcome({ active: false, failed: 0, cancelled: 0 })).toBe("done");
  });

  test("says no pace before a file is done", () => {
    const upload = { active: true, processed: 0, failed: 0, cancelled: 0, total: 10, started_at: T } as unknown as Upload;
    expect(pace(upload, Date.parse(T) + 1000)).toBeNull();
    expect(pace({ ...upload, processed: 5 }, Date.parse(T) + 1000)).toEqual({ perSecond: 5, left: 1 });
  });

  test("draws the quires that work, then the next that wait", () => {
    const some = [
      batch("a"),
      batch("b"),
      batch("c", { status: "processing" }),
      batch("d", { status: "queued" }),
      batch("e", { status: "queued" }),
    ];
    expect(shown(some, 3).map((each) => each.batch_id)).toEqual(["b", "c", "d"]);
  });
});

describe("numbers and times", () => {
  test("are as people read them", () => {
    expect([bytes(803), bytes(41_289), bytes(117_800_000)]).toEqual(["803 B", "41.3 kB", "118 MB"]);
    expect([duration(0.52), duration(27), duration(300), duration(6480)]).toEqual(["0.5 s", "27 s", "5 min", "1 h 48 min"]);
    expect([left(0.2), left(3.2), left(27.4)]).toEqual(["1 s", "4 s", "27 s"]);
    const now = Date.parse(T);
    expect([age(T, now + 5000), age(T, now + 240_000), age(T, now + 2 * 3_600_000)]).toEqual(["now", "4 min", "2 h"]);
    expect([day(T, now), day(T, now + 86_400_000)]).toEqual(["Today", "Yesterday"]);
  });

  test("a long name keeps its end, and a short one is left whole", () => {
    expect(split("a very long name of a scanned harbour ledger 1931.pdf").join("")).toBe(
      "a very long name of a scanned harbour ledger 1931.pdf",
    );
    expect(split("a very long name of a scanned harbour ledger 1931.pdf")[1]).toBe("ger 1931.pdf");
    expect(split("رسالة المحطة.pdf")).toEqual(["رسالة المحطة.pdf", ""]);
  });
});
