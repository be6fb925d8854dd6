// The batches beside the files: those that are being worked on, and those that have ended.

import { command } from "./api.js";
import { byId, el, name } from "./dom.js";
import { rest, TERMINAL } from "./state.js";
import { STAGE, STATUS, TEXT } from "./texts.js";

const FINISHED_SHOWN = 50;
const SILENT_SECONDS = 60;
const items = new Map();

/** Draws the batches that have changed; all when their order has. */
export function draw(batches, open) {
  const all = batches.all();
  for (const id of items.keys()) if (batches.dirty.has(id) || !batches.get(id)) items.delete(id);
  batches.dirty.clear();
  const item = (batch) => {
    if (!items.has(batch.batch_id)) items.set(batch.batch_id, one(batch, open));
    return items.get(batch.batch_id);
  };
  const active = all.filter((batch) => !TERMINAL.has(batch.status)).reverse();
  const finished = all.filter((batch) => TERMINAL.has(batch.status)).slice(0, FINISHED_SHOWN);
  replace(byId("active"), active.length ? active.map(item) : [el("li", {}, TEXT.noActive)]);
  replace(byId("finished"), finished.map(item));
}

/** Keeps elements that stay, and with them the focus. */
function replace(list, wanted) {
  wanted.forEach((element, index) => {
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
  while (list.children.length > wanted.length) list.lastChild.remove();
}

/** Ages and estimates, once a second. */
export function tick(batches) {
  for (const batch of batches.all()) if (!TERMINAL.has(batch.status)) times(batch);
}

function times(batch) {
  const place = items.get(batch.batch_id)?.querySelector(".times");
  if (!place) return;
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(batch.last_seen_at ?? batch.created_at)) / 1000));
  const left = rest(batch, Date.now());
  const parts = [batch.status === "queued" ? TEXT.waiting : TEXT.seen(seconds), left === null ? "" : TEXT.rest(left), TEXT.attempt(batch.attempt)];
  if (batch.status === "processing" && seconds > SILENT_SECONDS) parts.push(TEXT.silent);
  place.textContent = parts.filter(Boolean).join(" · ");
}

function one(batch, open) {
  const done = batch.processed + batch.failed + batch.cancelled;
  const short = batch.batch_id.slice(0, 8);
  const ended = TERMINAL.has(batch.status);
  const outcome = el("p", { role: "status" });
  const act = async (what, button) => {
    button.disabled = true;
    outcome.textContent = await command(batch.batch_id, what).then(() => "", (error) => error.message);
    button.disabled = false;
  };
  const button = (what, label, hint) => {
    const made = el("button", { type: "button", "aria-label": hint(short) }, label);
    made.addEventListener("click", () => act(what, made));
    return made;
  };
  const link = el("a", { href: `/batches/${batch.batch_id}`, title: TEXT.open }, short);
  link.addEventListener("click", (event) => open(event, batch.batch_id));
  const element = el(
    "li",
    { className: `batch ${batch.status}` },
    el("p", {}, link, " ", ended ? STATUS[batch.status] : (STAGE[batch.stage] ?? STATUS[batch.status])),
    el("progress", { max: Math.max(1, batch.total), value: done, "aria-label": TEXT.count(done, batch.total) }),
    el("p", {}, [TEXT.count(done, batch.total), TEXT.failedFiles(batch.failed)].filter(Boolean).join(" · ")),
    ended ? null : el("ul", { className: "now" }, ...batch.inFlight.slice(0, 4).map(working)),
    ended ? null : el("p", { className: "times" }),
    batch.error_message ? el("p", {}, batch.error_message) : null,
    ended ? (done > batch.processed ? button("retry", TEXT.retry, TEXT.retryNamed) : null) : button("cancel", TEXT.cancel, TEXT.cancelNamed),
    outcome,
  );
  items.set(batch.batch_id, element);
  times(batch);
  return element;
}

function working({ file_id, filename, page, pages }) {
  return el("li", {}, name(TEXT.now(filename ?? file_id.slice(0, 8), page, pages)));
}
