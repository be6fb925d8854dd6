// What components share: the time, the width, the keys, the title of the page.

import { useEffect, useState } from "react";
import { ROOT } from "./address";
import { Store, useStore } from "./state/store";

const now = new Store(Date.now());
setInterval(() => now.set(Date.now(), true), 1000);

/** Milliseconds since 1970, once a second. */
export const useNow = (): number => useStore(now);

const NARROW = matchMedia("(max-width: 900px)");

export function useNarrow(): boolean {
  const [narrow, set] = useState(NARROW.matches);
  useEffect(() => {
    const changed = () => set(NARROW.matches);
    NARROW.addEventListener("change", changed);
    return () => NARROW.removeEventListener("change", changed);
  }, []);
  return narrow;
}

const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
  !/^(checkbox|radio|button)$/.test((target as HTMLInputElement).type);

/** A key that stands for something, unless a person writes, or a dialog or menu is open. */
export function useKeys(keys: Readonly<Record<string, (event: KeyboardEvent) => unknown>>): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
      if (document.querySelector("dialog[open], [role=menu]:not([hidden])")) return;
      const does = keys[event.key];
      if (!does) return;
      event.preventDefault();
      does(event);
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [keys]);
}

/** Title and icon of the tab. */
export function useTitle(title: string, icon: "icon" | "icon-working" | "icon-failed"): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
  useEffect(() => {
    document.querySelector("link[rel=icon]")?.setAttribute("href", new URL(`${icon}.svg`, ROOT).href);
  }, [icon]);
}

export type Loaded<Value> =
  | { readonly is: "loading" }
  | { readonly is: "there"; readonly value: Value }
  | { readonly is: "failed"; readonly error: unknown };

/** What `ask` answers; asked again when `key` changes. The old answer stays until the new one is here, where `keep`. */
export function useAsked<Value>(key: string, ask: () => Promise<Value>, keep = false): readonly [Loaded<Value>, () => void] {
  const [answer, set] = useState<Loaded<Value> & { key?: string }>({ is: "loading" });
  const [again, repeat] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` says what `ask` depends on
  useEffect(() => {
    let mine = true;
    ask().then(
      (value) => mine && set({ is: "there", value, key }),
      (error) => mine && set({ is: "failed", error, key }),
    );
    return () => {
      mine = false;
    };
  }, [key, again]);
  return [answer.key === key || (keep && answer.is === "there") ? answer : { is: "loading" }, () => repeat((count) => count + 1)];
}
