// The table of files: fetched a page at a time, kept up to date by the feed.

import { address, get } from "./api.js";
import { byId, bytes, el, name } from "./dom.js";
import { CODE, EVENT, STATUS, TEXT } from "./texts.js";

const PAGE = 100;
const rows = new Map();
let where = {};
let cursor = null;
let asked = 0;

/** Shows the files of `collection_id`, or of one `batch_id`. */
export async function show(place) {
  where = place;
  cursor = null;
  byId("all-batches").hidden = !place.batch_id;
  await load(true);
}

byId("status").addEventListener("change", () => load(true));
byId("name").addEventListener("input", () => setTimeout(() => load(true), 200));
byId("filter").addEventListener("submit", (event) => event.preventDefault());
byId("more").addEventListener("click", () => load(false));

export async function load(anew) {
  const number = ++asked;
  const query = { ...where, status: byId("status").value, name: byId("name").value, limit: PAGE, cursor: anew ? null : cursor };
  const page = await get("/api/files", query);
  if (number !== asked) return; // a later question is on its way
  if (anew) rows.clear();
  for (const file of page.items) rows.set(file.file_id, row(file));
  cursor = page.next_cursor;
  byId("more").hidden = cursor === null;
  const empty = el("tr", {}, el("td", { colSpan: 6 }, TEXT.nothing));
  byId("rows").replaceChildren(...(rows.size ? rows.values() : [empty]));
}

/** A file is settled: its row is fetched again, with its links. */
export async function settled(fileIds) {
  for (const id of fileIds) {
    if (!rows.has(id)) continue;
    const file = await get(`/api/files/${id}`).catch(() => null);
    const old = rows.get(id);
    if (!file || !old) continue;
    rows.set(id, row(file));
    old.replaceWith(rows.get(id));
  }
}

function row(file) {
  const { links } = file;
  const image = links.thumbnail ? el("img", { src: address(links.thumbnail), alt: "", loading: "lazy", width: 48, height: 64 }) : null;
  const status = el("td", { className: file.processing_status }, STATUS[file.processing_status]);
  if (file.error_code) status.append(el("p", {}, CODE[file.error_code] ?? file.error_message ?? file.error_code));
  for (const notice of file.notices ?? []) status.append(el("p", {}, name(said(notice))));
  const anchors = [links.text && [address(links.text), TEXT.text], [address(links.original), TEXT.original]].filter(Boolean);
  return el(
    "tr",
    {},
    el("td", {}, image),
    el("th", { scope: "row", title: file.title ?? "" }, name(file.original_filename)),
    el("td", {}, String(file.page_count ?? "")),
    el("td", {}, bytes(file.file_size)),
    status,
    el("td", {}, ...anchors.flatMap(([href, label]) => [el("a", { href, "aria-label": `${label}: ${file.original_filename}` }, label), " "])),
  );
}

function said({ message, names }) {
  return names ? `${message} (${names.join(", ")})` : message;
}

/** What happened to the batch, the oldest first. */
export function timeline(batch) {
  const list = byId("timeline");
  list.hidden = !batch;
  const { early = [], messages = [] } = batch ?? {};
  const before = early.filter((message) => !messages.length || message.seq < messages[0].seq);
  const lines = [...before, ...messages].map((message) => {
    const said = EVENT[message.type]?.(message) ?? message.type;
    return el("li", {}, el("time", { dateTime: message.at }, new Date(message.at).toLocaleTimeString()), " ", name(said));
  });
  list.replaceChildren(...lines);
}
