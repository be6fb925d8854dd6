// How many files of the collection stand how, as the server counts them: asked for again while messages come.

import type { FileCounts } from "@quire/client/contract";
import { useEffect } from "react";
import { countsOf } from "./api/server";
import { listen, live } from "./live";
import { Store, useStore } from "./state/store";

const EVERY_MS = 1000;
const NONE: FileCounts = { total: 0, queued: 0, processing: 0, processed: 0, failed: 0, cancelled: 0 };

const counted = new Store<{ readonly collection: string; readonly count: FileCounts } | null>(null);
let soon: ReturnType<typeof setTimeout> | undefined;
let askedAt = 0;

async function ask(): Promise<void> {
  clearTimeout(soon);
  soon = undefined;
  askedAt = Date.now();
  const { collection } = live.get();
  if (!collection) return;
  try {
    const count = (await countsOf(collection)) ?? NONE;
    if (live.get().collection === collection) counted.set({ collection, count }, true);
  } catch {
    soon ??= setTimeout(ask, EVERY_MS);
  }
}

listen((message) => {
  if (message.type !== "BATCH_PROCESSING_PROGRESS" || message.in_flight.length)
    soon ??= setTimeout(ask, Math.max(50, EVERY_MS - (Date.now() - askedAt)));
});

/** Null while it is not known. */
export function useCounts(): FileCounts | null {
  const { collection, ready } = useStore(live);
  const known = useStore(counted);
  useEffect(() => {
    if (collection && ready) soon ??= setTimeout(ask);
  }, [collection, ready]);
  return known?.collection === collection ? known.count : null;
}
