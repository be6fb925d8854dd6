// How many files of the collection stand how: as the server counts them, or as the batches that are all known add up.

import { useEffect } from "react";
import { collections } from "./api/server";
import type { FileView } from "./contract";
import { listen, live } from "./live";
import { Store, useStore } from "./state/store";

export type Count = Readonly<Record<FileView["processing_status"], number>>;

const EVERY_MS = 2000;
const counted = new Store<{ collection: string; count: Count | null } | null>(null);
let soon: ReturnType<typeof setTimeout> | undefined;

async function ask(): Promise<void> {
  soon = undefined;
  const { collection } = live.get();
  if (!collection) return;
  const page = await collections().catch(() => null);
  const count = page?.items.find((each) => each.collection_id === collection)?.files ?? null;
  if (page && live.get().collection === collection) counted.set({ collection, count });
}

listen(() => {
  if (counted.get()?.count) soon ??= setTimeout(ask, EVERY_MS);
});

/** Null while it is not known. */
export function useCounts(): Count | null {
  const { collection, batches, whole, ready } = useStore(live);
  const known = useStore(counted);
  useEffect(() => {
    if (collection && ready) void ask();
  }, [collection, ready]);
  if (known?.collection === collection && known.count) return known.count;
  if (!whole || !ready) return null;
  const sum = { queued: 0, processing: 0, processed: 0, failed: 0, cancelled: 0 };
  for (const batch of batches.values()) {
    sum.processed += batch.processed;
    sum.failed += batch.failed;
    sum.cancelled += batch.cancelled;
    sum.processing += batch.in_flight.length;
    sum.queued += batch.total - batch.processed - batch.failed - batch.cancelled - batch.in_flight.length;
  }
  return sum;
}
