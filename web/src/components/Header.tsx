// Mark, collection, search, connection, help.

import { type RefObject, useEffect, useRef, useState } from "react";
import { useNarrow } from "../hooks";
import { TEXT } from "../texts";
import { addressOf, type View } from "../view";
import { CollectionMenu } from "./CollectionMenu";
import { Icon } from "./Icon";
import { go, To } from "./Link";
import { LinkPill } from "./LinkPill";

const TYPED_MS = 250;

interface Props {
  readonly view: View | null;
  readonly collection: string;
  readonly search: RefObject<HTMLInputElement>;
  readonly onHelp: () => void;
  readonly onToken: () => void;
}

export function Header({ view, collection, search, onHelp, onToken }: Props) {
  const home = addressOf({ collection, tab: "all", q: "", inText: false, sort: "newest", file: null });
  return (
    <header className="top">
      <To className="brand" href={home} aria-label={TEXT.name}>
        <Icon name="mark" size={24} />
        <span>{TEXT.name}</span>
      </To>
      <CollectionMenu collection={collection} />
      <Search view={view} collection={collection} input={search} />
      <span className="top-end">
        <LinkPill onToken={onToken} />
        <button
          type="button"
          className="btn ghost square"
          aria-label={TEXT.header.help}
          title={`${TEXT.header.help} (?)`}
          onClick={onHelp}
        >
          ?
        </button>
      </span>
    </header>
  );
}

function Search({ view, collection, input }: { view: View | null; collection: string; input: RefObject<HTMLInputElement> }) {
  const [typed, type] = useState(view?.q ?? "");
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const given = view?.q ?? "";
  // biome-ignore lint/correctness/useExhaustiveDependencies: what stands in the address wins when it changes
  useEffect(() => {
    if (document.activeElement !== input.current) type(given);
  }, [given]);
  const now = useRef(view);
  now.current = view; // what was opened since the last key was pressed stays open
  const apply = (q: string) =>
    go(addressOf({ ...(now.current ?? { tab: "all", sort: "newest", file: null, inText: false }), collection, q: q.trim() }));
  const change = (q: string) => {
    type(q);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => apply(q), TYPED_MS);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: the role of a search landmark
    <form
      role="search"
      className="search"
      onSubmit={(event) => {
        event.preventDefault();
        clearTimeout(timer.current);
        apply(typed);
      }}
    >
      <Icon name="search" size={16} />
      <input
        ref={input}
        type="search"
        value={typed}
        maxLength={255}
        placeholder={useNarrow() ? TEXT.header.searchShort : TEXT.header.search}
        aria-label={TEXT.header.search}
        aria-keyshortcuts="/"
        onChange={({ target }) => change(target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          change("");
          event.currentTarget.blur();
        }}
      />
      <kbd>/</kbd>
    </form>
  );
}
