// From chosen files to the answer: progress, stop, and trying again under the same key.

import { config, upload } from "./api.js";
import { byId, bytes, el, name } from "./dom.js";
import { TEXT } from "./texts.js";

const HEAD_BYTES = 1024;
const REJECTED_SHOWN = 100;

/** Files chosen or dropped are sent to the collection that `collection()` names then. */
export function offer(collection) {
  const send = (files) => begin(files, collection());
  for (const id of ["files", "folder"]) {
    byId(id).addEventListener("change", ({ target }) => {
      send([...target.files]);
      target.value = "";
    });
  }
  const drop = byId("drop");
  for (const type of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", type === "dragover");
    });
  }
  drop.addEventListener("drop", async ({ dataTransfer }) => {
    const entries = [...dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = entries.length ? (await Promise.all(entries.map(within))).flat() : [...dataTransfer.files];
    send(files);
  });
}

/** The files of a dropped file or folder, at any depth. */
async function within(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [Object.assign(file, { within: entry.fullPath.slice(1) })];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(within))).flat();
}

async function begin(chosen, collection) {
  if (!chosen.length) return;
  const checked = await Promise.all(chosen.map(async (file) => [file, await looksLikePdf(file)]));
  const rejected = checked.filter(([, good]) => !good).map(([file]) => ({ filename: file.name, message: TEXT.noPdf }));
  const files = checked.filter(([, good]) => good).map(([file]) => file);
  const beyond = aboveLimits(files);
  reject(beyond ? [...rejected, { filename: "", message: beyond }] : rejected);
  if (files.length && !beyond) await send(files, { collection, policy: byId("policy").value, key: key() }, rejected);
}

/** Why ingest would refuse all of them; it can only say so when a part of them runs already. */
function aboveLimits(files) {
  const { max_files: most, max_request_bytes: room } = config.limits;
  if (files.length > most) return TEXT.tooMany(files.length, most);
  const total = files.reduce((sum, file) => sum + file.size, 0);
  return total > room ? TEXT.tooMuch(bytes(total), bytes(room)) : null;
}

/** Of 128 random bits; `crypto.randomUUID` is there in secure contexts only. */
function key() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function looksLikePdf(file) {
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  return /%PDF[^A-Za-z]|\b\d{1,7}\s+\d{1,5}\s+obj\b/.test(new TextDecoder("latin1").decode(head)); // as ingest
}

async function send(files, order, rejected) {
  const place = byId("upload");
  const bar = el("progress", { max: 1, value: 0, "aria-label": TEXT.upload });
  const line = el("p");
  const began = performance.now();
  const progress = (sent, total) => {
    bar.value = sent / total;
    const speed = (sent / (performance.now() - began)) * 1000;
    line.textContent = sent === total ? TEXT.storing : TEXT.uploading(bytes(sent), bytes(total), bytes(speed));
  };
  const sending = upload(files, { ...order, progress });
  place.replaceChildren(line, bar, el("button", { type: "button", onclick: sending.abort }, TEXT.stop));
  try {
    const { status, body } = await sending.done;
    if (status === 503) throw Object.assign(new Error(), { said: body.detail });
    reject([...rejected, ...(body.rejected ?? (status < 300 ? [] : [{ filename: "", message: body.detail }]))]);
    place.replaceChildren(el("p", {}, status === 202 ? TEXT.accepted(body.accepted, body.batches.length) : body.detail));
  } catch (error) {
    const again = el("button", { type: "button", onclick: () => send(files, order, rejected) }, TEXT.tryAgain);
    const what = error.name === "AbortError" ? TEXT.uploadStopped : (error.said ?? TEXT.uploadBroke);
    place.replaceChildren(el("p", { role: "alert" }, what), again);
  }
}

function reject(files) {
  const shown = files.slice(0, REJECTED_SHOWN).map((file) => el("li", {}, name(file.filename), " ", file.message));
  if (files.length > REJECTED_SHOWN) shown.push(el("li", {}, `… ${files.length - REJECTED_SHOWN}`));
  byId("rejected").replaceChildren(...(shown.length ? [el("ul", {}, ...shown)] : []));
}
