// What the page says of numbers, names and uploads.

import type { AnyFeedMessage } from "@quire/client/contract";
import { describe, expect, test } from "vitest";
import type { Batch } from "../src/state/fold";
import { age, bytes, day, duration, left, split } from "../src/state/format";
import { storyOf } from "../src/state/story";
import { outcome, shown, uploads } from "../src/state/uploads";
import { wordOf } from "../src/state/words";
import { TEXT } from "../src/texts";

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

test("a text is looked through for the first phrase or word that was searched for, not for what is to be left out", () => {
  expect(['harbour "the lantern"', "-fog harbour,", "or ledger", "-only", ""].map(wordOf)).toEqual([
    "the lantern",
    "harbour",
    "ledger",
    "",
    "",
  ]);
});

test("a file whose text is not all there does not look whole", () => {
  const { pages, characters } = TEXT.viewer;
  expect([pages(5, 3), pages(5, 0), pages(5, 5), pages(5, null)]).toEqual(["3 of 5 read", "0 of 5 read", "5", "5"]);
  expect([characters(31, true), characters(31, false)]).toEqual(["31, cut off there", "31"]);
});

describe("what happened to a file", () => {
  const base = { collection_id: "c", batch_id: "b", at: T, seq: 1 };
  const position = { file_id: "f", stage: "extracting", page: 1, pages: 2 } as const;
  const working = { ...base, type: "BATCH_PROCESSING_PROGRESS", stage: "heartbeat", processed: 0, failed: 0, total: 2 } as const;
  const settled = { ...base, type: "FILES_PROCESSED", filename: "f.pdf" } as const;
  test("is told without what happened to the others, and each run once", () => {
    const messages: AnyFeedMessage[] = [
      { ...base, type: "BATCH_CREATED", files: [] },
      { ...working, in_flight: [position] },
      { ...working, in_flight: [{ ...position, page: 2 }] },
      { ...settled, file_id: "g", status: "failed" },
      { ...settled, file_id: "f", status: "failed" },
      { ...base, type: "BATCH_RETRY_REQUESTED", file_ids: ["f"], generation: 1 },
      { ...working, in_flight: [position] },
      { ...settled, file_id: "f", status: "processed" },
    ];
    expect(storyOf(messages, "f").map((line) => line.text)).toEqual([
      "Accepted",
      "Being read",
      "failed",
      "To be read again",
      "Being read",
      "done",
    ]);
  });
});
