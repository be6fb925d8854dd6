// One attempt to send files: progress, and how it ended.

import type { Accepted } from "@quire/client/contract";
import { address, headers, Refused, refusal } from "../api/http";
import { ingest } from "../api/server";
import type { Chosen } from "./gather";

export interface Order {
  readonly key: string;
  readonly name: string;
  readonly collection: string;
  readonly policy: string;
}

export interface Attempt {
  readonly answer: Promise<Accepted>;
  readonly abort: () => void;
}

/** The connection ended before there was an answer. */
export class Broken extends Error {}
/** The person stopped it. */
export class Stopped extends Error {}

/** XMLHttpRequest: fetch tells nobody how much of a body is sent. Rejects with Refused, Broken or Stopped. */
export function send(files: readonly Chosen[], order: Order, progress: (sent: number, total: number) => void): Attempt {
  const request = new XMLHttpRequest();
  const query = { collection_id: order.collection, policy: order.policy, name: order.name };
  request.open("POST", address(ingest(), "api/documents/process", query));
  request.responseType = "json";
  request.setRequestHeader("Idempotency-Key", order.key);
  for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
  request.upload.onprogress = (event) => progress(event.loaded, event.total);
  const answer = new Promise<Accepted>((resolve, reject) => {
    request.onload = () => {
      const body: unknown = request.response;
      if (request.status === 202 && body) resolve(body as Accepted);
      else reject(refusal(request.status, body));
    };
    request.onerror = () => reject(new Broken());
    request.onabort = () => reject(new Stopped());
  });
  const form = new FormData();
  for (const { file, path } of files) form.append("files", file, path);
  request.send(form);
  return { answer, abort: () => request.abort() };
}

/** The same request may succeed. */
export const passes = (error: unknown): boolean =>
  error instanceof Broken || (error instanceof Refused && (error.status >= 500 || error.status === 408 || error.status === 429));
