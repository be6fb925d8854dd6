// The page: what the URL names is shown, and one subscription keeps it up to date.

import { config, currentToken, get, useToken } from "./api.js";
import { byId, el } from "./dom.js";
import * as files from "./files.js";
import { subscribe } from "./quire.js";
import { draw, tick } from "./sidebar.js";
import { Batches, TERMINAL } from "./state.js";
import { TEXT } from "./texts.js";
import { offer } from "./uploads.js";

const NOTICE_MS = 2000;
const SETTLED_MS = 300;
const batches = new Batches();
let collection = "default";
let batchId = null;
let subscription = null;
let notice = null;
let drawing = false;
let listed = 0;
let cursor = null;
const settled = new Set();

function open(event, id) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", `/batches/${id}`);
  route();
}

/** Shows what the URL names. */
async function route() {
  const [, kind, id] = location.pathname.split("/");
  batchId = kind === "batches" ? id : null;
  const view = batchId && (await get(`/api/batches/${batchId}`).catch(() => null));
  const next = (batchId ? view?.collection_id : decodeURIComponent(id ?? "")) || "default";
  byId("collection").value = next;
  if (next !== collection || !subscription) {
    collection = next;
    await follow();
  }
  if (view && !batches.get(batchId)) batches.put(view);
  remember();
  await files.show(batchId ? { batch_id: batchId } : { collection_id: collection });
  files.timeline(batchId ? batches.get(batchId) : null);
}

/** Shows what happened to the batch that the URL names; first fetches the messages that it had before this page was there. */
async function remember() {
  const id = batchId;
  const batch = id && batches.get(id);
  if (!batch || batch.past) return;
  batch.past = true;
  const early = await past(id);
  const now = batches.get(id); // it may have been replaced meanwhile
  if (now) now.early = early;
  if (id === batchId) files.timeline(now);
}

/** All messages of a batch that the feed still holds. */
async function past(id) {
  const found = [];
  let after = 0;
  while (after !== null) {
    const page = await get(`/api/collections/${collection}/feed`, { after, limit: 500 }).catch((error) => error);
    if (!(page instanceof Error)) {
      found.push(...page.items.filter((message) => message.batch_id === id));
      after = page.next_cursor;
    } else if (page.code === "resync_required" && after < page.body.pruned_to) {
      after = page.body.pruned_to; // older messages are gone
    } else {
      return found;
    }
  }
  return found;
}

async function follow() {
  subscription?.close();
  batches.clear();
  cursor = null;
  byId("rest").hidden = true;
  subscription = subscribe(location.origin, collection, { token: currentToken() ?? undefined });
  subscription.addEventListener("subscribed", ({ detail }) => caughtUp(detail));
  subscription.addEventListener("message", ({ detail }) => take(detail));
  subscription.addEventListener("disconnected", ({ detail }) => lost(detail));
}

async function caughtUp(part) {
  clearTimeout(notice);
  notice = null;
  if (!part.recovered) {
    const mine = collection;
    const active = new Set(part.snapshot.batches.map((batch) => batch.batch_id));
    const before = batches.all().filter((batch) => !TERMINAL.has(batch.status) && !active.has(batch.batch_id));
    batches.begin(part); // before the messages that follow it
    listed = 0;
    goesOn(part);
    say(TEXT.catchingUp);
    await Promise.all([endings(), ...before.map(({ batch_id }) => ask(batch_id))]).catch(() => null);
    if (mine !== collection) return;
    files.load(true);
    redraw();
  }
  say(TEXT.live);
  await remember();
}

const ask = (id) => batches.refresh(id, () => get(`/api/batches/${id}`));

/** Says how many active batches the parts of the snapshot have named, and where the next one begins. */
function goesOn({ snapshot }) {
  listed += snapshot.batches.length;
  cursor = snapshot.next_cursor;
  byId("rest").hidden = !cursor;
  byId("rest-of").textContent = TEXT.restOf(listed, snapshot.total);
}

async function moreBatches() {
  const [mine, { epoch }] = [cursor, subscription];
  const frames = await get(`/api/collections/${collection}/snapshot`, { cursor }).catch(() => []);
  if (mine !== cursor) return; // the feed has begun anew meanwhile, or is another one
  for (const frame of frames.filter((each) => each.epoch === epoch)) {
    batches.add(frame);
    goesOn(frame);
  }
  redraw();
}

/** The batches that have ended lately: the snapshot has the others. */
async function endings() {
  const mine = collection;
  const listed = await get("/api/batches", { collection_id: collection, limit: 100 });
  if (mine !== collection) return;
  listed.items.filter((batch) => TERMINAL.has(batch.status) && !batches.get(batch.batch_id)).forEach((batch) => batches.put(batch));
}

function take(message) {
  const ended = batches.take(message);
  const batch = batches.get(message.batch_id);
  if (batch.vague) {
    batch.vague = false;
    ask(message.batch_id).then(redraw, () => null);
  }
  if (message.type === "FILES_PROCESSED") {
    if (!settled.size) setTimeout(refresh, SETTLED_MS);
    settled.add(message.file_id);
  }
  if ((message.type === "BATCH_CREATED" || ended) && !batchId) refreshSoon();
  redraw();
}

function refresh() {
  const some = [...settled];
  settled.clear();
  files.settled(some);
}

let soon = null;
function refreshSoon() {
  soon ??= setTimeout(() => {
    soon = null;
    files.load(true);
  }, SETTLED_MS);
}

function redraw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    batches.trim(batchId);
    draw(batches, open);
    if (batchId) files.timeline(batches.get(batchId));
  });
}

function lost({ final, reason }) {
  if (final) {
    say(TEXT.refused(reason));
    byId("token-form").hidden = config.auth === "none";
  } else {
    notice ??= setTimeout(() => say(TEXT.lost), NOTICE_MS);
  }
}

const say = (text) => (byId("connection").textContent = text);

byId("collection-form").addEventListener("submit", (event) => {
  event.preventDefault();
  history.pushState(null, "", `/collections/${encodeURIComponent(byId("collection").value)}`);
  route();
});
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(byId("token").value);
  location.reload();
});
byId("all-batches").addEventListener("click", () => {
  history.pushState(null, "", `/collections/${encodeURIComponent(collection)}`);
  route();
});
byId("more-batches").addEventListener("click", moreBatches);
addEventListener("popstate", route);
setInterval(() => tick(batches), 1000);
offer(() => collection);

if (config.auth !== "none" && !currentToken()) {
  byId("token-form").hidden = false;
  say(TEXT.needsToken);
} else {
  await route();
  const known = await get("/api/collections", { limit: 100 });
  byId("collections").replaceChildren(...known.items.map((item) => el("option", { value: item.collection_id })));
}
