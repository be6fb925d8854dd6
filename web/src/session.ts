// Who the person is: the token, where Quire asks for one, and how long it is kept.

import { Store } from "./state/store";

const KEY = "quire-token";

export interface Claims {
  readonly subject: string | null;
  readonly scopes: readonly string[];
  readonly collections: readonly string[];
  /** Seconds since 1970; null: it does not expire. */
  readonly expires: number | null;
}

export interface Session {
  readonly token: string | null;
  /** Kept on this device, not only in this tab. */
  readonly kept: boolean;
}

const stored = (): Session => {
  const here = sessionStorage.getItem(KEY);
  return here ? { token: here, kept: false } : { token: localStorage.getItem(KEY), kept: localStorage.getItem(KEY) !== null };
};

export const session = new Store<Session>(stored());

export const token = (): string | null => session.get().token;

export function signIn(token: string, kept: boolean): void {
  signOut();
  (kept ? localStorage : sessionStorage).setItem(KEY, token);
  session.set({ token, kept }, true);
}

export function signOut(): void {
  localStorage.removeItem(KEY);
  sessionStorage.removeItem(KEY);
  session.set({ token: null, kept: false }, true);
}

/** What a token says of itself, unchecked: the server checks. Null: it is none. */
export function claims(token: string): Claims | null {
  try {
    const part = token.split(".")[1] ?? "";
    const bytes = Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
    const said: Record<string, unknown> = JSON.parse(new TextDecoder().decode(bytes));
    const words = (value: unknown): string[] =>
      Array.isArray(value) ? value.map(String) : typeof value === "string" ? value.split(" ") : [];
    return {
      subject: typeof said.sub === "string" ? said.sub : null,
      scopes: words(said.scope),
      collections: words(said.collections),
      expires: typeof said.exp === "number" ? said.exp : null,
    };
  } catch {
    return null;
  }
}

/** A token may name collections or prefixes that end in `*`. */
export const opens = (patterns: readonly string[], collection: string): boolean =>
  patterns.some((pattern) => (pattern.endsWith("*") ? collection.startsWith(pattern.slice(0, -1)) : pattern === collection));
