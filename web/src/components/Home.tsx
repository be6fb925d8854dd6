// The files of a collection: where they come from, which of them, and the table.

import { useEffect, useMemo, useRef } from "react";
import { said } from "../api/http";
import { failuresOf, MOST_REQUESTS } from "../api/server";
import { retryUploads } from "../commands";
import { useCounts } from "../counts";
import { Files } from "../files";
import { useAsked } from "../hooks";
import { live } from "../live";
import { sendings } from "../sending/uploads";
import { number } from "../state/format";
import { useStore } from "../state/store";
import { TEXT } from "../texts";
import { addressOf, SORTS, STATUS_OF, TABS, type Tab, type View } from "../view";
import { DropBar, type useChoosers } from "./Drop";
import { Empty } from "./Empty";
import { Failures } from "./Failures";
import { FileTable } from "./FileTable";
import { Icon } from "./Icon";
import { go, To } from "./Link";
import { TakeOut } from "./TakeOut";

const MOST_SORTED = 5000;
const WORKING_MS = 1000;

const files = new Files();

interface Props {
  readonly view: View;
  readonly choosers: ReturnType<typeof useChoosers>;
  readonly active: boolean;
  /** Nothing was ever uploaded here. */
  readonly blank: boolean;
}

export function Home({ view, choosers, active, blank }: Props) {
  const listing = useStore(files.store);
  const sending = useStore(sendings, (all) => all.length);
  const { collection, tab, q, inText, sort } = view;
  useEffect(() => {
    void files.show({
      collection_id: collection,
      status: STATUS_OF[tab],
      q: q || undefined,
      ...(q && inText ? { in: "text" } : {}),
    });
  }, [collection, tab, q, inText]);
  useShownAtOnce(tab, listing.items.length, listing.fresh, sending > 0);
  useEffect(() => {
    if (sort !== "newest" && listing.more && listing.items.length < MOST_SORTED) void files.more();
  }, [sort, listing]);
  const items = useMemo(() => sorted(listing.items, sort), [listing.items, sort]);
  const loading = listing.state === "loading" && !listing.items.length;
  if (blank) return <Empty collection={collection} choosers={choosers} />;
  return (
    <>
      <h1 className="hidden">{collection}</h1>
      <DropBar {...choosers} />
      <Tabs view={view} />
      {q && <Words view={view} />}
      {tab === "failed" && !q && <FailedOf key={collection} collection={collection} />}
      {q && listing.unindexed > 0 && <p className="hint">{TEXT.table.unindexed(listing.unindexed)}</p>}
      {sort !== "newest" && listing.more && listing.items.length >= MOST_SORTED && (
        <p className="hint">{TEXT.table.partial(MOST_SORTED)}</p>
      )}
      <div className="table-place" aria-busy={loading}>
        {listing.fresh > 0 && (
          <button type="button" className="fresh" onClick={() => void files.again().then(() => scrollTo({ top: 0 }))}>
            {TEXT.table.fresh(listing.fresh)} · <b>{TEXT.table.show}</b>
          </button>
        )}
        {listing.state === "failed" ? (
          <div className="notice bad" role="alert">
            <p>
              {TEXT.table.failedToLoad} {said(listing.error)}
            </p>
            <button type="button" className="btn" onClick={() => void files.again()}>
              {TEXT.tryAgain}
            </button>
          </div>
        ) : loading ? (
          <p className="hint nothing">{TEXT.table.loading}</p>
        ) : items.length ? (
          <FileTable
            files={files}
            items={items}
            more={listing.more}
            active={active}
            open={(file) => addressOf({ ...view, file })}
          />
        ) : (
          <Nothing view={view} />
        )}
        {!listing.more && items.length > 50 && <p className="hint nothing">{TEXT.table.end(items.length)}</p>}
      </div>
    </>
  );
}

/** What a person waits for is shown by itself where nothing can jump: a list that is empty, or whose top is in sight while one's
 * own files come; and the files that work, of which there are few. */
function useShownAtOnce(tab: Tab, count: number, fresh: number, mine: boolean): void {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    if (!fresh) return;
    const still = scrollY < 8 && !document.activeElement?.closest("table") && !document.querySelector("table:hover, .selection");
    if (count && !(mine && still)) return;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => void files.again(), 300);
  }, [fresh, count, mine]);
  useEffect(() => {
    if (tab !== "working") return;
    const every = setInterval(() => void files.again(), WORKING_MS);
    return () => clearInterval(every);
  }, [tab]);
}

const collator = new Intl.Collator(undefined, { numeric: true });

const by = (sort: View["sort"]): ((a: (typeof EMPTY)[number], b: (typeof EMPTY)[number]) => number) =>
  sort === "name"
    ? (a, b) => collator.compare(a.original_filename, b.original_filename) || collator.compare(a.path ?? "", b.path ?? "")
    : sort === "size"
      ? (a, b) => b.file_size - a.file_size
      : (a, b) => (b.page_count ?? -1) - (a.page_count ?? -1);

const EMPTY = files.store.get().items;

const sorted = (items: typeof EMPTY, sort: View["sort"]) => (sort === "newest" ? items : [...items].sort(by(sort)));

function Tabs({ view }: { view: View }) {
  const counts = useCounts();
  const count = (tab: Tab) => counts?.[STATUS_OF[tab] ?? "total"] ?? null;
  const shown = TABS.filter((tab) => tab !== "cancelled" || view.tab === "cancelled" || (count("cancelled") ?? 0) > 0);
  return (
    <div className="tabs-line">
      <nav className="tabs" aria-label={TEXT.table.title}>
        {shown.map((tab) => (
          <To key={tab} href={addressOf({ ...view, tab, file: null })} aria-current={view.tab === tab ? "page" : undefined}>
            {TEXT.table.tabs[tab]}
            {count(tab) !== null && <em>{number(count(tab) ?? 0)}</em>}
          </To>
        ))}
      </nav>
      <label className="sort">
        <span className="hidden">{TEXT.table.sortLabel}</span>
        <select value={view.sort} onChange={({ target }) => go(addressOf({ ...view, sort: target.value as View["sort"] }))}>
          {SORTS.map((sort) => (
            <option key={sort} value={sort}>
              {TEXT.table.sort[sort]}
            </option>
          ))}
        </select>
        <Icon name="down" size={16} />
      </label>
      <span className="wide-only">
        <TakeOut of={{ collection_id: view.collection }} quiet />
      </span>
    </div>
  );
}

/** Asked for again whenever their number changes, or an upload ends: then those of it can be retried. */
function FailedOf({ collection }: { collection: string }) {
  const counts = useCounts();
  const active = useStore(live, (now) => now.uploads.filter((upload) => upload.active).length);
  const [asked] = useAsked(`${counts?.failed} ${active}`, () => failuresOf(collection), true);
  if (asked.is !== "there") return null;
  return (
    <Failures
      reasons={asked.value.map(({ code, count, retriable, request_ids = [] }) => ({
        code,
        count,
        label: request_ids.length < MOST_REQUESTS ? TEXT.failures.retry(retriable) : TEXT.failures.retryIn(request_ids.length),
        retry: () => void retryUploads(request_ids, [code]),
      }))}
    />
  );
}

/** Where the words are looked for. */
function Words({ view }: { view: View }) {
  return (
    <nav className="words" aria-label={TEXT.header.searchIn}>
      <To href={addressOf({ ...view, inText: false })} aria-current={view.inText ? undefined : "true"}>
        {TEXT.header.inName}
      </To>
      <To href={addressOf({ ...view, inText: true })} aria-current={view.inText ? "true" : undefined}>
        {TEXT.header.inText}
      </To>
    </nav>
  );
}

function Nothing({ view }: { view: View }) {
  const status = STATUS_OF[view.tab];
  return (
    <div className="nothing">
      <p>{view.q ? TEXT.table.noneFound(view.q, view.inText) : status ? TEXT.table.noneIs[status] : TEXT.table.none}</p>
      {view.q && !view.inText && (
        <To className="btn" href={addressOf({ ...view, inText: true })}>
          {TEXT.table.searchTexts}
        </To>
      )}
      {view.q && (
        <To className="btn" href={addressOf({ ...view, q: "" })}>
          {TEXT.table.clearSearch}
        </To>
      )}
    </div>
  );
}
