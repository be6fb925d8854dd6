// A file, opened: its first page large, its text by page, what is to be known of it, what happened to it.

import type { FileView } from "@quire/client/contract";
import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { say } from "../announce";
import { headers, Refused, refused, said } from "../api/http";
import { file as askFile, linked } from "../api/server";
import { flights, standing as standingOf } from "../flight";
import { useHistory } from "../history";
import { useAsked, useNarrow, useNow } from "../hooks";
import { listen, live } from "../live";
import { Router } from "../router";
import { age, bytes, duration, exactly, number, toTheSecond } from "../state/format";
import { useStore } from "../state/store";
import { storyOf } from "../state/story";
import { saveText } from "../take";
import { REASON, STANDING, TEXT } from "../texts";
import { Dialog } from "./Dialog";
import { Icon } from "./Icon";
import { To } from "./Link";
import { Pill } from "./Name";
import { Original } from "./Row";

interface PageText {
  readonly page: number;
  readonly text: string;
  readonly missing?: string;
}

const PAGES_AT_ONCE = 40;

interface Props {
  readonly id: string;
  /** What its text is looked through for at first. */
  readonly words: string;
  readonly onClose: () => void;
}

export function Viewer({ id, words, onClose }: Props) {
  const [asked, again] = useAsked(id, () => askFile(id));
  useEffect(() => listen((message) => message.type === "FILES_PROCESSED" && message.file_id === id && again()), [id, again]);
  const last = useRef<FileView | null>(null);
  if (asked.is === "there") last.current = asked.value;
  const file = asked.is === "there" ? asked.value : last.current?.file_id === id ? last.current : null;
  if (asked.is === "failed") {
    const unknown = asked.error instanceof Refused && (asked.error.status === 404 || asked.error.status === 422);
    return (
      <Dialog title={TEXT.viewer.failed} onClose={onClose}>
        <p role="alert">{unknown ? TEXT.viewer.unknown : said(asked.error)}</p>
      </Dialog>
    );
  }
  return (
    <Dialog
      title={file ? <bdi>{file.original_filename}</bdi> : TEXT.table.loading}
      kind="viewer"
      head={file && <Tools file={file} />}
      onClose={onClose}
    >
      {file && (
        <div className="viewer-columns">
          <aside className="viewer-side">
            <FirstPage file={file} />
            <Facts file={file} />
            <History file={file} />
          </aside>
          <Reading file={file} words={words} />
        </div>
      )}
    </Dialog>
  );
}

function Tools({ file }: { file: FileView }) {
  return (
    <span className="viewer-tools">
      {file.links.text && (
        <button type="button" className="btn" onClick={() => void saveText(file)}>
          <Icon name="download" size={16} />
          <span className="wide-only">{TEXT.viewer.plainText}</span>
        </button>
      )}
      {file.links.original && (
        <Original file={file} className="btn">
          {TEXT.viewer.openPdf}
        </Original>
      )}
    </span>
  );
}

function FirstPage({ file }: { file: FileView }) {
  if (!file.links.thumbnail) return <span className="page-picture none" />;
  return <img className="page-picture" src={linked(file.links.thumbnail)} alt={TEXT.viewer.picture(file.original_filename)} />;
}

function Facts({ file }: { file: FileView }) {
  const batches = useStore(live, (now) => now.batches);
  const now = useNow();
  const standing = standingOf(file, flights(batches).get(file.file_id), batches);
  const folder = file.path?.includes("/") ? file.path.slice(0, file.path.lastIndexOf("/")) : null;
  const facts: readonly (readonly [string, React.ReactNode])[] = [
    [TEXT.viewer.fact.pages, file.page_count === null ? null : TEXT.viewer.pages(file.page_count, file.pages_read)],
    [TEXT.viewer.fact.characters, file.characters === null ? null : TEXT.viewer.characters(file.characters, file.truncated)],
    [TEXT.viewer.fact.size, bytes(file.file_size)],
    [TEXT.viewer.fact.title, file.title && <bdi>{file.title}</bdi>],
    [TEXT.viewer.fact.path, folder && <bdi>{folder}</bdi>],
    [
      TEXT.viewer.fact.added,
      <time key="t" dateTime={file.created_at} title={exactly(file.created_at)}>{`${age(file.created_at, now)}`}</time>,
    ],
    [TEXT.viewer.fact.took, file.duration_ms === null ? null : duration(file.duration_ms / 1000)],
    [
      TEXT.viewer.fact.quire,
      <To key="q" href={Router.Batch({ batch: file.batch_id })}>
        {file.batch_id.slice(0, 8)}
      </To>,
    ],
    [TEXT.viewer.fact.id, <code key="i">{file.file_id.slice(0, 8)}</code>],
    [
      TEXT.viewer.fact.sha,
      <code key="s" title={file.sha256}>
        {file.sha256.slice(0, 12)}…
      </code>,
    ],
  ];
  return (
    <dl className="facts-list">
      <div>
        <dt>{TEXT.batch.fact.status}</dt>
        <dd>
          <Pill is={standing}>{STANDING[standing]}</Pill>
        </dd>
      </div>
      {facts.map(
        ([name, value]) =>
          value !== null &&
          value !== "" && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

function History({ file }: { file: FileView }) {
  const [messages] = useHistory(file.batch_id);
  const lines = useMemo(() => storyOf(messages, file.file_id), [messages, file.file_id]);
  const narrow = useNarrow();
  if (!lines.length) return null;
  return (
    <details className="history" open={!narrow}>
      <summary className="section">{TEXT.viewer.history}</summary>
      <ol className="log">
        {lines.map((line, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the story only grows at its end
          <li key={place} className={line.bad ? "bad" : undefined}>
            <time dateTime={line.at}>{toTheSecond(line.at)}</time>
            <span>{line.text}</span>
          </li>
        ))}
      </ol>
    </details>
  );
}

/** What to know, and the text. */
function Reading({ file, words }: { file: FileView; words: string }) {
  return (
    <div className="viewer-text">
      {file.error_code && <p className="notice bad">{REASON[file.error_code]}</p>}
      {file.notices.map((notice) => (
        <p key={notice.code} className="notice warn">
          {notice.message}
          {notice.names?.length ? <bdi> {notice.names.join(", ")}</bdi> : null}
        </p>
      ))}
      {file.links.text ? <Text file={file} words={words} /> : !file.error_code && <p className="hint">{TEXT.viewer.notYet}</p>}
    </div>
  );
}

async function pagesOf(file: FileView): Promise<readonly PageText[]> {
  const { links } = await askFile(file.file_id); // a link may have expired since
  const answer = await fetch(linked(links.text ?? ""), { headers: { ...headers(), Accept: "application/json" } });
  if (!answer.ok) throw await refused(answer);
  return ((await answer.json()) as { pages: readonly PageText[] }).pages;
}

function Text({ file, words }: { file: FileView; words: string }) {
  const [asked, again] = useAsked(`${file.file_id} ${file.updated_at}`, () => pagesOf(file));
  if (asked.is === "loading") return <p className="hint">{TEXT.viewer.loading}</p>;
  if (asked.is === "failed")
    return (
      <div className="notice bad" role="alert">
        <p>
          {TEXT.viewer.failed} {said(asked.error)}
        </p>
        <button type="button" className="btn" onClick={again}>
          {TEXT.tryAgain}
        </button>
      </div>
    );
  return <Pages pages={asked.value} first={words} />;
}

interface Hit {
  readonly page: number;
  readonly at: number;
}

const MOST_HITS = 2000;

function hitsOf(pages: readonly PageText[], words: string): readonly Hit[] {
  const wanted = words.toLowerCase();
  const found: Hit[] = [];
  if (!wanted) return found;
  for (const { page, text } of pages) {
    const low = text.toLowerCase();
    for (let at = low.indexOf(wanted); at >= 0 && found.length < MOST_HITS; at = low.indexOf(wanted, at + wanted.length))
      found.push({ page, at });
  }
  return found;
}

function Pages({ pages, first }: { pages: readonly PageText[]; first: string }) {
  const [typed, type] = useState(first);
  const words = useDeferredValue(typed.trim());
  const hits = useMemo(() => hitsOf(pages, words), [pages, words]);
  const [at, move] = useState(0);
  const [room, widen] = useState(PAGES_AT_ONCE);
  const place = useRef<HTMLElement>(null);
  const here = hits.length ? hits[at % hits.length] : undefined;
  useEffect(() => {
    if (!here) return;
    const index = pages.findIndex((page) => page.page === here.page);
    if (index >= room) widen(index + PAGES_AT_ONCE);
    requestAnimationFrame(() =>
      place.current?.querySelector(`mark[data-at="${here.page}-${here.at}"]`)?.scrollIntoView({ block: "center" }),
    );
  }, [here, pages, room]);
  const step = (by: number) => move((now) => (now + by + hits.length) % Math.max(1, hits.length));
  const copy = () =>
    navigator.clipboard?.writeText(pages.map((page) => page.text).join("\n\n")).then(
      () => say(TEXT.viewer.copied),
      () => undefined,
    );
  return (
    <>
      <div className="find">
        <Icon name="search" size={16} />
        <input
          type="search"
          value={typed}
          placeholder={TEXT.viewer.find}
          aria-label={TEXT.viewer.find}
          onChange={({ target }) => {
            type(target.value);
            move(0);
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            step(event.shiftKey ? -1 : 1);
          }}
        />
        {words && (
          <>
            <span role="status">{TEXT.viewer.hits((at % Math.max(1, hits.length)) + 1, hits.length)}</span>
            <button
              type="button"
              className="btn ghost square small"
              aria-label={TEXT.viewer.previous}
              disabled={!hits.length}
              onClick={() => step(-1)}
            >
              <Icon name="up" />
            </button>
            <button
              type="button"
              className="btn ghost square small"
              aria-label={TEXT.viewer.next}
              disabled={!hits.length}
              onClick={() => step(1)}
            >
              <Icon name="down" />
            </button>
          </>
        )}
        {navigator.clipboard && (
          <button
            type="button"
            className="btn ghost square small"
            aria-label={TEXT.viewer.copy}
            title={TEXT.viewer.copy}
            onClick={() => void copy()}
          >
            <Icon name="copy" />
          </button>
        )}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled with the keyboard, too */}
      <section className="pages" ref={place} tabIndex={0} aria-label={TEXT.viewer.text}>
        {pages.slice(0, room).map((page) => (
          <section key={page.page} className="text-page" aria-label={TEXT.viewer.page(page.page)}>
            <h3>{number(page.page)}</h3>
            {page.text ? (
              <p dir="auto">
                <Marked page={page} words={words} here={here} />
              </p>
            ) : (
              <p className="hint">{TEXT.viewer.noText}</p>
            )}
          </section>
        ))}
        {pages.length > room && (
          <button type="button" className="btn wide" onClick={() => widen(room + PAGES_AT_ONCE)}>
            {TEXT.viewer.morePages}
          </button>
        )}
      </section>
    </>
  );
}

/** The text of a page, with what was looked for marked in it. */
function Marked({ page: { page, text }, words, here }: { page: PageText; words: string; here: Hit | undefined }) {
  if (!words) return <>{text}</>;
  const low = text.toLowerCase();
  const wanted = words.toLowerCase();
  const parts: React.ReactNode[] = [];
  let from = 0;
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, from)) {
    parts.push(
      text.slice(from, at),
      <mark key={at} data-at={`${page}-${at}`} className={here?.page === page && here.at === at ? "here" : undefined}>
        {text.slice(at, at + wanted.length)}
      </mark>,
    );
    from = at + wanted.length;
  }
  return (
    <>
      {parts}
      {text.slice(from)}
    </>
  );
}
