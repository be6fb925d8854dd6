// The collections that there are, with what works in each; a name that is none yet starts one.

import type { CollectionView } from "@quire/client/contract";
import { FocusableItem, Menu, MenuItem } from "@szhsin/react-menu";
import { useState } from "react";
import { asksForToken, collections } from "../api/server";
import { claims, opens, token } from "../session";
import { TEXT } from "../texts";
import { addressOf } from "../view";
import { Icon } from "./Icon";
import { go } from "./Link";

const NAME = /^[A-Za-z0-9._-]{1,128}$/;
const SHOWN = 12;

const openCollection = (collection: string) =>
  go(addressOf({ collection, tab: "all", q: "", inText: false, sort: "newest", file: null }));

export function CollectionMenu({ collection }: { collection: string }) {
  const [known, know] = useState<readonly CollectionView[]>([]);
  const [typed, type] = useState("");
  const words = typed.trim();
  const found = known.filter((each) => each.collection_id.toLowerCase().includes(words.toLowerCase()));
  const fresh = words && NAME.test(words) && allowed(words) && !known.some((each) => each.collection_id === words);
  const ask = () =>
    collections().then(
      (page) => know(page.items),
      () => undefined,
    );
  return (
    <Menu
      className="menu"
      gap={4}
      menuButton={
        <button type="button" className="btn collection" aria-label={`${TEXT.header.collection}: ${collection}`}>
          <bdi>{collection}</bdi>
          <Icon name="down" size={16} />
        </button>
      }
      onMenuChange={({ open }) => (open ? void ask() : type(""))}
    >
      <FocusableItem className="menu-filter">
        {({ ref }) => (
          <input
            ref={ref}
            type="text"
            aria-label={TEXT.header.filter}
            placeholder={TEXT.header.filter}
            value={typed}
            maxLength={128}
            onChange={({ target }) => type(target.value)}
            onKeyDown={(event) => {
              const first = found[0]?.collection_id ?? (fresh ? words : null);
              if (event.key === "Enter" && first) openCollection(fresh ? words : first);
            }}
          />
        )}
      </FocusableItem>
      {found.slice(0, SHOWN).map((each) => (
        <MenuItem
          key={each.collection_id}
          {...(each.collection_id === collection ? { "aria-current": "true" as const } : {})}
          onClick={() => openCollection(each.collection_id)}
        >
          <bdi>{each.collection_id}</bdi>
          {each.active > 0 && <span className="count">{TEXT.header.active(each.active)}</span>}
        </MenuItem>
      ))}
      {fresh && (
        <MenuItem onClick={() => openCollection(words)}>
          <bdi>{TEXT.header.create(words)}</bdi>
        </MenuItem>
      )}
      {words && !fresh && !found.length && (
        <li className="hint menu-hint">{NAME.test(words) ? TEXT.token.foreign(words) : TEXT.header.badName}</li>
      )}
      {!words && !found.length && <li className="hint menu-hint">{TEXT.header.none}</li>}
    </Menu>
  );
}

/** A token opens some collections only. */
function allowed(name: string): boolean {
  const held = token();
  const said = asksForToken() && held ? claims(held) : null;
  return !said || opens(said.collections, name);
}
