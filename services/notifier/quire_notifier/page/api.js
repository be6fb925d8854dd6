// Quire's HTTP API, with the token where one is asked for.

let token = sessionStorage.getItem("quire-token");

export const currentToken = () => token;

export function useToken(value) {
  token = value;
  sessionStorage.setItem("quire-token", value);
}

const headers = () => (token ? { Authorization: `Bearer ${token}` } : {});

export class Refused extends Error {
  constructor(status, body) {
    super(body.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.code = body.code;
    this.body = body;
  }
}

async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

export const get = async (path, query = {}) => {
  const present = Object.entries(query).filter(([, value]) => value);
  return answer(await fetch(`${path}?${new URLSearchParams(present)}`, { headers: headers() }));
};

export const config = await get("/api/config");

/** Where a link of the API leads: they are relative to the notifier's address, where these files lie. */
export const address = (link) => new URL(link, import.meta.url).href;

const ingest = (path) => new URL(path, config.ingest_url || location.origin).href;

export const command = async (batchId, name, body = {}) =>
  answer(await fetch(ingest(`/api/batches/${batchId}/${name}`), { method: "POST", headers: headers(), body: JSON.stringify(body) }));

/** Sends files; `progress(sent, total)` in bytes. `abort()` of the returned object ends it. */
export function upload(files, { collection, policy, key, progress }) {
  const request = new XMLHttpRequest();
  const query = new URLSearchParams({ collection_id: collection, policy });
  request.open("POST", ingest(`/api/documents/process?${query}`));
  request.responseType = "json";
  request.setRequestHeader("Idempotency-Key", key);
  for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
  request.upload.onprogress = (event) => progress(event.loaded, event.total);
  const done = new Promise((resolve, reject) => {
    request.onload = () => (request.response ? resolve({ status: request.status, body: request.response }) : reject(new Error("no answer")));
    request.onerror = () => reject(new Error("network"));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
  });
  const form = new FormData();
  for (const file of files) form.append("files", file, file.within || file.webkitRelativePath || file.name);
  request.send(form);
  return { done, abort: () => request.abort() };
}
