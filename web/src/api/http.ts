// Requests to notifier and ingest, with the token where there is one; what they refuse becomes a `Refused`.

import { ROOT } from "../address";
import { token } from "../session";
import { TEXT } from "../texts";

export type Query = Readonly<Record<string, string | number | undefined | null>>;

/** The server's answer was no. `code` is Quire's own; null where something in front of it answered. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string | null,
    message: string,
    readonly body: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

export function address(base: URL, path: string, query: Query = {}): URL {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, String(value));
  }
  return url;
}

export const headers = (): Record<string, string> => {
  const value = token();
  return value ? { Authorization: `Bearer ${value}` } : {};
};

/** Asks the notifier; raises Refused, or a TypeError where nobody answers. */
export async function get<Answer>(path: string, query: Query = {}, signal?: AbortSignal): Promise<Answer> {
  const answer = await fetch(address(ROOT, path, query), { headers: headers(), ...(signal ? { signal } : {}) });
  if (!answer.ok) throw await refused(answer);
  return (await answer.json()) as Answer;
}

/** Tells ingest, at `base`, to do something. */
export async function post<Answer>(base: URL, path: string, body: unknown = {}): Promise<Answer> {
  const answer = await fetch(address(base, path), { method: "POST", headers: headers(), body: JSON.stringify(body) });
  if (!answer.ok) throw await refused(answer);
  return (await answer.json()) as Answer;
}

export async function refused(answer: Response): Promise<Refused> {
  const body: unknown = await answer.json().catch(() => null);
  return refusal(answer.status, body);
}

/** From a status and a body that may be Quire's problem JSON, or a proxy's page. */
export function refusal(status: number, body: unknown): Refused {
  const problem = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  if (typeof problem.code !== "string") return new Refused(status, null, TEXT.proxy(status));
  return new Refused(status, problem.code, typeof problem.detail === "string" ? problem.detail : problem.code, problem);
}

/** What a person reads of an error. */
export const said = (error: unknown): string => (error instanceof Refused ? error.message : TEXT.unreachable);
