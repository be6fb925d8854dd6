// A row of the table: a file, how it stands, what can be done with it.

import type { FilePosition, FileView, Match } from "@quire/client/contract";
import { type MouseEvent, memo, type ReactNode } from "react";
import { linked } from "../api/server";
import type { Standing } from "../state/fold";
import { age, bytes, exactly, number } from "../state/format";
import { lasting, openOriginal, saveText } from "../take";
import { REASON, STANDING, TEXT } from "../texts";
import { Icon } from "./Icon";
import { To } from "./Link";
import { Name, Pill } from "./Name";

export interface RowProps {
  readonly file: FileView;
  readonly standing: Standing;
  readonly position: FilePosition | undefined;
  readonly index: number;
  readonly height: number;
  readonly selected: boolean;
  readonly retriable: boolean;
  readonly href: string;
  /** Coarse: a row is drawn anew when its age reads otherwise. */
  readonly now: number;
  readonly actions: RowActions;
}

export interface RowActions {
  readonly select: (id: string, through: boolean) => void;
  readonly retry: (file: FileView) => void;
  readonly menu: (file: FileView, anchor: HTMLElement) => void;
  readonly outdated: (id: string) => void;
}

export const Row = memo(function Row(props: RowProps) {
  const { file, standing, position, index, height, selected, href, now, actions } = props;
  const name = file.original_filename;
  return (
    <tr
      aria-rowindex={index + 2}
      data-index={index}
      className={selected ? "selected" : undefined}
      style={{ height }}
      onClick={(event) => followed(event)}
    >
      <td className="cell-check">
        <label className="hit">
          <input
            type="checkbox"
            checked={selected}
            aria-label={TEXT.table.select(name)}
            onChange={() => undefined}
            onClick={(event) => actions.select(file.file_id, event.shiftKey)}
          />
        </label>
      </td>
      <td className="cell-picture">
        <Picture file={file} outdated={actions.outdated} />
      </td>
      <th scope="row" className="cell-name">
        <To href={href} className="file-link">
          <Name>{name}</Name>
        </To>
        <Beneath file={file} standing={standing} position={position} />
      </th>
      <td className="cell-number">{pagesOf(file, position)}</td>
      <td className="cell-number">{bytes(file.file_size)}</td>
      <td className="cell-status">
        <Pill is={standing}>{STANDING[standing]}</Pill>
      </td>
      <td className="cell-number quiet">
        <time dateTime={file.created_at} title={exactly(file.created_at)}>
          {age(file.created_at, now)}
        </time>
      </td>
      <td className="cell-actions">
        <Actions {...props} />
      </td>
    </tr>
  );
});

const pagesOf = (file: FileView, position: FilePosition | undefined) => {
  const pages = file.page_count ?? position?.pages;
  return pages === null || pages === undefined ? "–" : number(pages);
};

/** A press anywhere in the row opens it, but on what does something else, or at the end of a selection of text. */
function followed(event: MouseEvent<HTMLElement>): void {
  if ((event.target as HTMLElement).closest("a, button, input, label") || getSelection()?.toString()) return;
  event.currentTarget.querySelector<HTMLAnchorElement>(".file-link")?.click();
}

function Picture({ file, outdated }: { file: FileView; outdated: (id: string) => void }) {
  if (!file.links.thumbnail) return <span className="picture none" />;
  return (
    <img
      className="picture"
      src={linked(file.links.thumbnail)}
      alt=""
      loading="lazy"
      width={36}
      height={47}
      onError={({ currentTarget }) => {
        if (currentTarget.dataset.again) return;
        currentTarget.dataset.again = "yes";
        outdated(file.file_id);
      }}
    />
  );
}

/** The reason, what is lacking, where it is being read, or where it came from. */
function Beneath({ file, standing, position }: Pick<RowProps, "file" | "standing" | "position">) {
  if (standing === "failed")
    return <span className="beneath bad">{file.error_code ? REASON[file.error_code] : file.error_message}</span>;
  if (position) {
    const words = position.pages ? TEXT.table.reading(position.page ?? 0, position.pages) : TEXT.table.stage[position.stage];
    return <span className="beneath">{words}</span>;
  }
  const [match] = file.matches ?? [];
  if (match) return <Snippet of={match} />;
  const folder = file.path?.includes("/") ? file.path.slice(0, file.path.lastIndexOf("/")) : null;
  const notice = standing === "processed" && file.notices[0];
  if (notice) return <span className="beneath warn">{notice.message}</span>;
  return (
    <span className="beneath">{folder ? <bdi>{folder}</bdi> : (file.title ?? TEXT.table.quire(file.batch_id.slice(0, 8)))}</span>
  );
}

/** Where its text holds what was looked for: plain text, and which signs of it are marked. */
function Snippet({ of: { page, snippet, hits } }: { of: Match }) {
  const signs = [...snippet];
  const parts: ReactNode[] = [];
  let from = 0;
  for (const [start, end] of hits) {
    parts.push(signs.slice(from, start).join(""), <mark key={start}>{signs.slice(start, end).join("")}</mark>);
    from = end;
  }
  return (
    <span className="beneath snippet">
      {TEXT.table.onPage(page)} · <bdi>{[...parts, signs.slice(from).join("")]}</bdi>
    </span>
  );
}

function Actions({ file, standing, retriable, actions }: RowProps) {
  const name = file.original_filename;
  const again = standing === "failed" || standing === "cancelled";
  return (
    <div className="row-actions">
      {again && (
        <button
          type="button"
          className="btn small"
          disabled={!retriable}
          aria-label={TEXT.table.retryOf(name)}
          title={retriable ? undefined : TEXT.table.notYet}
          onClick={() => actions.retry(file)}
        >
          {TEXT.retry}
        </button>
      )}
      {file.links.text && (
        <button
          type="button"
          className="btn ghost small"
          aria-label={TEXT.table.textOf(name)}
          onClick={() => void saveText(file)}
        >
          {TEXT.table.text}
        </button>
      )}
      {!again && file.links.original && <Original file={file} />}
      <button
        type="button"
        className="btn ghost square small"
        aria-haspopup="menu"
        aria-label={TEXT.table.moreOf(name)}
        onClick={(event) => actions.menu(file, event.currentTarget)}
      >
        <Icon name="more" />
      </button>
    </div>
  );
}

export function Original({
  file,
  className = "btn ghost small",
  children = TEXT.table.pdf,
}: {
  file: FileView;
  className?: string;
  children?: string;
}) {
  const href = lasting(file.links.original);
  const label = children === TEXT.table.pdf ? TEXT.table.pdfOf(file.original_filename) : undefined;
  if (href)
    return (
      <a className={className} href={href} target="_blank" rel="noopener noreferrer" aria-label={label}>
        {children}
      </a>
    );
  return (
    <button type="button" className={className} aria-label={label} onClick={() => void openOriginal(file)}>
      {children}
    </button>
  );
}
