// What has been read of files, taken out: file by file through lost connections, or as the bytes of an archive. No dependencies;
// browsers, Deno, Bun, and Node from 20 on.

import { delay, fit } from "./quire.js";

const PATIENCE_MS = 60_000; // for an export that does not come
const PASSING = new Set([429, 502, 503, 504]);

/** The server's answer was no: trying again does not help. */
export class Refused extends Error {
  constructor(message, status, code = null) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Each file of an export once, in the order of the upload; what breaks off is gone on with after the last file that came whole. */
export async function* exported(url, of, { kind = "text", ...options } = {}) {
  let [cursor, attempt, since] = ["", 0, Date.now()];
  while (true) {
    try {
      const answer = await taken(url, { ...of, kind, format: "jsonl", ...(cursor && { cursor }) }, options);
      for await (const line of lines(answer.body)) {
        const file = JSON.parse(line);
        yield file;
        [cursor, attempt, since] = [file.cursor, 0, Date.now()];
      }
      return;
    } catch (error) {
      await again(error, since, attempt++, options);
    }
  }
}

/** The bytes of a ZIP: texts, originals or a report. It is whole, or none: then the stream ends with an error, as a rule. */
export async function archived(url, of, { kind = "text", ...options } = {}) {
  const since = Date.now();
  for (let attempt = 0; ; attempt += 1) {
    try {
      return (await taken(url, { ...of, kind, format: "zip" }, options)).body;
    } catch (error) {
      await again(error, since, attempt, options);
    }
  }
}

/** An answer that is a success; raises Refused, or another error for what passes. */
async function taken(url, query, { token, signal }) {
  const own = fit(typeof token === "function" ? await token() : token);
  const where = `${new URL(url).href.replace(/\/$/, "")}/api/export?${new URLSearchParams(query)}`;
  const answer = await fetch(where, { headers: own ? { Authorization: `Bearer ${own}` } : {}, signal });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => null);
  const said = problem?.detail ?? `${where.split("?")[0]} answered ${answer.status}, and not as Quire does`;
  throw PASSING.has(answer.status) ? new Error(said) : new Refused(said, answer.status, problem?.code);
}

/** Waits before the next attempt; raises the error where there is to be none. */
async function again(error, since, attempt, { patience = PATIENCE_MS, signal }) {
  const ms = delay(attempt);
  if (error instanceof Refused || signal?.aborted || Date.now() + ms - since > patience) throw error;
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Lines that came whole. They end with a line feed, and with nothing else: texts hold other separators. */
async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let parts = [];
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done && parts.some(Boolean)) throw new Error("the export broke off in the middle of a line");
      if (done) return;
      const [first, ...others] = value.split("\n");
      parts.push(first);
      for (const next of others) {
        yield parts.join("");
        parts = [next];
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
