// The files, as many rows as are in sight: selection, keys, a menu for each, and more as a person scrolls.

import type { FileView } from "@quire/client/contract";
import { ControlledMenu, MenuItem } from "@szhsin/react-menu";
import { defaultRangeExtractor, useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { retryFiles } from "../commands";
import type { Files } from "../files";
import { flights, standing } from "../flight";
import { useKeys, useNarrow, useNow } from "../hooks";
import { live } from "../live";
import { Router } from "../router";
import { TERMINAL } from "../state/fold";
import { useStore } from "../state/store";
import { openOriginal, saveText } from "../take";
import { TEXT } from "../texts";
import { go } from "./Link";
import { Row, type RowActions } from "./Row";
import { SelectionBar } from "./SelectionBar";

const WIDE_ROW = 64;
const NARROW_ROW = 76;
const AHEAD = 30;
const BARS = 112; // what stays at the top covers so much
const AGE_MS = 30_000;

interface Props {
  readonly files: Files;
  readonly items: readonly FileView[];
  readonly more: boolean;
  readonly open: (file: string) => string;
  /** Nothing is open above the table: keys are for it. */
  readonly active: boolean;
}

export function FileTable({ files, items, more, open, active }: Props) {
  const height = useNarrow() ? NARROW_ROW : WIDE_ROW;
  const table = useRef<HTMLTableElement>(null);
  const focused = useRef<string | null>(null);
  const [top, setTop] = useState(0);
  const [selected, select] = useState<ReadonlySet<string>>(new Set());
  const [menu, openMenu] = useState<{ file: FileView; anchor: HTMLElement } | null>(null);
  const batches = useStore(live, (now) => now.batches);
  const now = Math.floor(useNow() / AGE_MS) * AGE_MS;
  const inHand = flights(batches);
  const shown = useMemo(() => items.map((file) => file.file_id), [items]);

  useEffect(() => {
    const measured = () => setTop((table.current?.getBoundingClientRect().top ?? 0) + scrollY);
    measured();
    const observer = new ResizeObserver(measured);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);

  const rows = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => height,
    overscan: 10,
    scrollMargin: top,
    scrollPaddingStart: BARS,
    getItemKey: (index) => shown[index] ?? index,
    // What has the focus stays in the table, however far it is scrolled.
    rangeExtractor: (range) => {
      const some = defaultRangeExtractor(range);
      const kept = shown.indexOf(focused.current ?? "");
      return kept < 0 || some.includes(kept) ? some : [...some, kept].sort((a, b) => a - b);
    },
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows of another height
  useEffect(() => rows.measure(), [rows, height]);
  const visible = rows.getVirtualItems();
  const last = visible.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last > items.length - AHEAD) void files.more();
  }, [files, more, last, items.length]);

  const anchor = useRef<string | null>(null);
  const actions: RowActions = useMemo(
    () => ({
      select: (id, through) => {
        const from = through && anchor.current ? shown.indexOf(anchor.current) : -1;
        const at = shown.indexOf(id);
        const range = from >= 0 ? shown.slice(Math.min(from, at), Math.max(from, at) + 1) : [id];
        anchor.current = id;
        select((before) => {
          const next = new Set(before);
          const on = !before.has(id);
          for (const each of range) on ? next.add(each) : next.delete(each);
          return next;
        });
      },
      retry: (file) => void retryFiles([file]),
      menu: (file, element) => openMenu({ file, anchor: element }),
      outdated: (id) => files.outdated([id]),
    }),
    [files, shown],
  );

  useKeys(
    useMemo(() => {
      if (!active) return {};
      const move = (by: number) => {
        const index = Math.max(0, shown.indexOf(focused.current ?? "") + by);
        const id = shown[index];
        if (!id) return;
        focused.current = id;
        rows.scrollToIndex(index, { align: "auto" });
        requestAnimationFrame(() => table.current?.querySelector<HTMLElement>(`tr[data-index="${index}"] .file-link`)?.focus());
      };
      return {
        j: () => move(1),
        k: () => move(-1),
        x: () => focused.current && actions.select(focused.current, false),
      };
    }, [active, shown, actions, rows]),
  );

  const chosen = items.filter((file) => selected.has(file.file_id));
  const all = items.length > 0 && chosen.length === items.length;
  let after = 0;
  return (
    <>
      {chosen.length > 0 && <SelectionBar files={chosen} onClear={() => select(new Set())} />}
      <table
        ref={table}
        className="files"
        aria-rowcount={more ? -1 : items.length + 1}
        onFocus={({ target }) => {
          const row = target.closest<HTMLElement>("tr[data-index]");
          if (row) focused.current = shown[Number(row.dataset.index)] ?? null;
        }}
      >
        <caption className="hidden">{TEXT.table.title}</caption>
        <colgroup>
          <col className="col-check" />
          <col className="col-picture" />
          <col />
          <col className="col-pages" />
          <col className="col-size" />
          <col className="col-status" />
          <col className="col-added" />
          <col className="col-actions" />
        </colgroup>
        <thead>
          <tr>
            <td className="cell-check">
              <label className="hit">
                <input
                  type="checkbox"
                  aria-label={TEXT.table.selectAll}
                  checked={all}
                  ref={(box) => {
                    if (box) box.indeterminate = chosen.length > 0 && !all;
                  }}
                  onChange={() => select(all ? new Set() : new Set(shown))}
                />
              </label>
            </td>
            <td />
            <th scope="col">{TEXT.table.columns.name}</th>
            <th scope="col" className="cell-number">
              {TEXT.table.columns.pages}
            </th>
            <th scope="col" className="cell-number">
              {TEXT.table.columns.size}
            </th>
            <th scope="col">{TEXT.table.columns.status}</th>
            <th scope="col" className="cell-number">
              {TEXT.table.columns.added}
            </th>
            <td />
          </tr>
        </thead>
        <tbody>
          {visible.flatMap((row) => {
            const file = items[row.index];
            if (!file) return [];
            const gap = row.start - top - after;
            after = row.start - top + row.size;
            const position = inHand.get(file.file_id);
            const status = batches.get(file.batch_id)?.status;
            const element = (
              <Row
                key={file.file_id}
                file={file}
                standing={standing(file, position, batches)}
                position={position}
                index={row.index}
                height={height}
                selected={selected.has(file.file_id)}
                retriable={status === undefined || TERMINAL.has(status)}
                href={open(file.file_id)}
                now={now}
                actions={actions}
              />
            );
            return gap > 0 ? [<Gap key={`gap ${row.index}`} height={gap} />, element] : [element];
          })}
          {rows.getTotalSize() > after && <Gap height={rows.getTotalSize() - after} />}
        </tbody>
      </table>
      {menu && (
        <ControlledMenu
          className="menu"
          state="open"
          anchorRef={{ current: menu.anchor }}
          align="end"
          gap={4}
          viewScroll="close"
          onClose={() => {
            menu.anchor.focus();
            openMenu(null);
          }}
        >
          <MenuItem onClick={() => go(open(menu.file.file_id))}>{TEXT.table.viewFile}</MenuItem>
          {menu.file.links.text && <MenuItem onClick={() => void saveText(menu.file)}>{TEXT.viewer.plainText}</MenuItem>}
          {menu.file.links.original && <MenuItem onClick={() => void openOriginal(menu.file)}>{TEXT.viewer.openPdf}</MenuItem>}
          <MenuItem onClick={() => go(Router.Batch({ batch: menu.file.batch_id }))}>{TEXT.table.openQuire}</MenuItem>
        </ControlledMenu>
      )}
    </>
  );
}

const Gap = ({ height }: { height: number }) => (
  // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a row that holds the place of those out of sight cannot be focused
  <tr aria-hidden="true" className="gap" style={{ height }}>
    <td colSpan={8} />
  </tr>
);
