// What is being worked on right now, by file, and how a row stands when messages know more than the row.

import type { FilePosition, FileView } from "@quire/client/contract";
import { type Batches, type Standing, TERMINAL } from "./state/fold";

let known: Batches | null = null;
let positions: ReadonlyMap<string, FilePosition> = new Map();

export function flights(batches: Batches): ReadonlyMap<string, FilePosition> {
  if (batches !== known) {
    const active = [...batches.values()].filter((batch) => batch.in_flight.length);
    positions = new Map(active.flatMap((batch) => batch.in_flight.map((each) => [each.file_id, each] as const)));
    known = batches;
  }
  return positions;
}

/** A row was fetched at some moment; being read, or not any more, is known to the second. */
export function standing(file: FileView, position: FilePosition | undefined, batches: Batches): Standing {
  if (position) return "processing";
  if (file.processing_status !== "processing") return file.processing_status;
  const batch = batches.get(file.batch_id);
  return batch && !TERMINAL.has(batch.status) ? "queued" : "processing";
}
