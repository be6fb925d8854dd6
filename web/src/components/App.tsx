// The frame of every page: the address decides what is shown, one subscription keeps it true.

import { replaceUnsafe } from "@swan-io/chicane";
import { useEffect, useMemo, useRef, useState } from "react";
import { announced, dismiss, toasts } from "../announce";
import { said } from "../api/http";
import { asksForToken, config } from "../api/server";
import { useCounts } from "../counts";
import { useAsked, useKeys, useNarrow, useTitle } from "../hooks";
import { follow, forget, link, live } from "../live";
import { DEFAULT_COLLECTION } from "../router";
import { remember, sendings } from "../sending/uploads";
import { claims, opens, session } from "../session";
import { useStore } from "../state/store";
import { wordOf } from "../state/words";
import { TEXT } from "../texts";
import { addressOf, useRoute, type View, view as viewOf } from "../view";
import { BatchPage } from "./BatchPage";
import { Dialog } from "./Dialog";
import { DropTarget, useChoosers } from "./Drop";
import { Header } from "./Header";
import { Help } from "./Help";
import { Home } from "./Home";
import { Icon } from "./Icon";
import { go } from "./Link";
import { NowBar } from "./NowBar";
import { expired, TokenCard } from "./TokenCard";
import { UploadedFilesSidebar } from "./UploadedFilesSidebar";
import { UploadPage } from "./UploadPage";
import { Viewer } from "./Viewer";

const LAST = "quire-collection";

export function App() {
  const [asked, again] = useAsked("config", config);
  if (asked.is === "loading") return null;
  if (asked.is === "failed")
    return (
      <main className="nothing" role="alert">
        <p>{said(asked.error)}</p>
        <button type="button" className="btn" onClick={again}>
          {TEXT.tryAgain}
        </button>
      </main>
    );
  return <Known />;
}

/** Once it is known what this Quire asks for. */
function Known() {
  const route = useRoute();
  const followed = useStore(live, (now) => now.collection);
  const named = route?.name === "Collection" ? route.params.collection : route?.name === "Start" ? DEFAULT_COLLECTION : null;
  // A batch or an upload does not say its collection in the address; the one that was looked at last is as good as any.
  const collection = named ?? followed ?? sessionStorage.getItem(LAST) ?? DEFAULT_COLLECTION;
  const { token } = useStore(session);
  const { is } = useStore(link);
  const ready = useStore(live, (now) => now.ready);
  const locked = asksForToken() && !token;
  useEffect(() => {
    if (locked) forget();
    else if (route?.name !== "Batch" && route?.name !== "Upload") follow(collection);
    sessionStorage.setItem(LAST, collection);
  }, [collection, locked, route?.name]);
  useEffect(() => {
    if (!locked) void remember();
  }, [locked]);
  const [tokenShown, showToken] = useState(false);
  const [helpShown, showHelp] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  const choosers = useChoosers(collection);
  const narrow = useNarrow();
  const given: View | null =
    route && (route.name === "Start" || route.name === "Collection") ? viewOf(collection, route.params) : null;
  const file = route && "file" in route.params ? (route.params.file ?? null) : null;
  const opened = useRef<string | null>(null);
  useEffect(() => {
    if (file === null) opened.current = location.pathname + location.search;
  });
  const close = () => {
    const rest = location.pathname + without("file");
    if (rest === opened.current) history.back();
    else replaceUnsafe(rest);
  };
  useKeys(
    useMemo(
      () => ({
        "/": () => search.current?.focus(),
        u: () => document.getElementById("choose-files")?.click(),
        "?": () => showHelp(true),
      }),
      [],
    ),
  );
  usePageTitle(collection);
  const blank = useBlank() && given !== null && given.tab === "all" && !given.q;
  const used = () => {
    showToken(false);
    forget();
    follow(collection);
  };
  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: it leads to a place of this page */}
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault(); // in the address it would come back with every step back
          document.getElementById("main")?.focus();
        }}
      >
        {TEXT.skip}
      </a>
      <Header
        view={given}
        collection={collection}
        search={search}
        onHelp={() => showHelp(true)}
        onToken={() => showToken(true)}
      />
      {locked ? (
        <main id="main" className="gate card" tabIndex={-1}>
          <h1>{TEXT.token.title}</h1>
          <TokenCard why={null} onUsed={used} />
        </main>
      ) : (
        <div className={blank ? "columns single" : "columns"}>
          <main id="main" tabIndex={-1}>
            {is === "refused" && <Refused collection={collection} onToken={() => showToken(true)} />}
            {given && is === "refused" && !ready ? null : given ? (
              <Home view={given} choosers={choosers} active={!file} blank={blank} />
            ) : route?.name === "Batch" ? (
              <BatchPage key={route.params.batch} id={route.params.batch} collection={collection} />
            ) : route?.name === "Upload" ? (
              <UploadPage key={route.params.request} id={route.params.request} collection={collection} active={!file} />
            ) : (
              <Lost collection={collection} />
            )}
          </main>
          {!narrow && !blank && (
            <aside className="side" aria-label={TEXT.now.title}>
              <UploadedFilesSidebar />
            </aside>
          )}
        </div>
      )}
      {narrow && !locked && !blank && <NowBar />}
      {!locked && <DropTarget collection={collection} />}
      {choosers.inputs}
      {file && !locked && <Viewer key={file} id={file} words={given?.inText ? wordOf(given.q) : ""} onClose={close} />}
      {helpShown && (
        <Help
          collection={collection}
          onClose={() => showHelp(false)}
          onToken={() => {
            showHelp(false);
            showToken(true);
          }}
        />
      )}
      {tokenShown && (
        <Dialog title={TEXT.token.label} onClose={() => showToken(false)}>
          <TokenCard why={is === "refused" ? reason(collection) : null} onUsed={used} />
        </Dialog>
      )}
      <Spoken />
    </>
  );
}

/** Nothing was ever uploaded here. */
function useBlank(): boolean {
  const none = useStore(live, (now) => now.ready && now.batches.size === 0);
  const counts = useCounts();
  const sending = useStore(sendings, (all) => all.length > 0);
  return none && counts?.total === 0 && !sending;
}

const without = (name: string) => {
  const search = new URLSearchParams(location.search);
  search.delete(name);
  const rest = search.toString();
  return rest && `?${rest}`;
};

/** Why the server does not let the page in. */
function reason(collection: string): string {
  const now = link.get();
  const { token } = session.get();
  const said = token ? claims(token) : null;
  if (expired(said)) return expired(said) ?? TEXT.token.expired;
  if (said && !opens(said.collections, collection)) return TEXT.token.foreign(collection);
  return now.is === "refused" && now.code !== 3500 ? now.reason : TEXT.token.refused;
}

function Refused({ collection, onToken }: { collection: string; onToken: () => void }) {
  return (
    <div className="notice bad" role="alert">
      <p>
        {reason(collection)} {TEXT.token.expiredText}
      </p>
      {asksForToken() && (
        <button type="button" className="btn" onClick={onToken}>
          {TEXT.token.use}
        </button>
      )}
    </div>
  );
}

function Lost({ collection }: { collection: string }) {
  useEffect(() => go(addressOf({ collection, tab: "all", q: "", inText: false, sort: "newest", file: null })), [collection]);
  return null;
}

/** The tab says how far it is, wherever a person looks. */
function usePageTitle(collection: string): void {
  const uploads = useStore(live, (now) => now.uploads);
  const sending = useStore(sendings, (all) =>
    all.some(({ phase }) => phase === "sending" || phase === "storing" || phase === "again"),
  );
  const active = uploads.filter((upload) => upload.active);
  const sum = (of: (upload: (typeof active)[number]) => number) => active.reduce((total, upload) => total + of(upload), 0);
  const done = sum((upload) => upload.processed + upload.failed + upload.cancelled);
  const failed = sum((upload) => upload.failed);
  const head = active.length
    ? `${TEXT.title.working(
        done,
        sum((upload) => upload.total),
      )}${failed ? `, ${TEXT.title.failed(failed)}` : ""} · `
    : "";
  const bad = failed > 0 || (!active.length && (uploads[0]?.failed ?? 0) > 0);
  useTitle(`${head}${collection} · ${TEXT.name}`, active.length || sending ? "icon-working" : bad ? "icon-failed" : "icon");
}

/** What is announced, and what stands for a moment at the foot of the page. */
function Spoken() {
  const text = useStore(announced);
  const shown = useStore(toasts);
  return (
    <>
      <p className="hidden" role="status" aria-live="polite">
        {text}
      </p>
      <div className="toasts">
        {shown.map((each) => (
          <div key={each.id} className={each.bad ? "toast bad" : "toast"}>
            <span>{each.text}</span>
            <button type="button" className="btn ghost square small" aria-label={TEXT.dismiss} onClick={() => dismiss(each.id)}>
              <Icon name="close" size={16} />
            </button>
          </div>
        ))}
      </div>
    </>
  );
}
