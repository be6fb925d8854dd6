// What the address asks for: collection, filter, words, order, the file that is open. And addresses of the same view with changes.

import type { FileView } from "@quire/client/contract";
import { DEFAULT_COLLECTION, ROUTES, Router } from "./router";

export const TABS = ["all", "working", "waiting", "done", "failed", "cancelled"] as const;
export type Tab = (typeof TABS)[number];
export const STATUS_OF: Record<Tab, FileView["processing_status"] | undefined> = {
  all: undefined,
  working: "processing",
  waiting: "queued",
  done: "processed",
  failed: "failed",
  cancelled: "cancelled",
};

export const SORTS = ["newest", "name", "size", "pages"] as const;
export type Sort = (typeof SORTS)[number];

export interface View {
  readonly collection: string;
  readonly tab: Tab;
  readonly q: string;
  readonly inText: boolean;
  readonly sort: Sort;
  readonly file: string | null;
}

interface Parameters {
  readonly status?: string | undefined;
  readonly q?: string | undefined;
  readonly in?: string | undefined;
  readonly sort?: string | undefined;
  readonly file?: string | undefined;
}

const one = <Word extends string>(words: readonly Word[], word: string | undefined): Word =>
  words.find((each) => each === word) ?? (words[0] as Word);

export const view = (collection: string, given: Parameters): View => ({
  collection,
  tab: one(TABS, given.status),
  q: given.q ?? "",
  inText: given.in === "text",
  sort: one(SORTS, given.sort),
  file: given.file ?? null,
});

/** The address of a view; what is as always is left out. */
export function addressOf({ collection, tab, q, inText, sort, file }: View): string {
  const given: Record<string, string> = {};
  if (tab !== "all") given.status = tab;
  if (q) given.q = q;
  if (q && inText) given.in = "text";
  if (sort !== "newest") given.sort = sort;
  if (file) given.file = file;
  return collection === DEFAULT_COLLECTION ? Router.Start(given) : Router.Collection({ collection, ...given });
}

export const useRoute = () => Router.useRoute(ROUTES);
