// A value that parts of the page look at. Whoever looks is told at most every 50 ms, however often it changes.

import { useSyncExternalStore } from "react";

const TOLD_EVERY_MS = 50;

export class Store<Value> {
  #value: Value;
  #shown: Value;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(value: Value) {
    this.#value = this.#shown = value;
  }

  /** As it is now. */
  get(): Value {
    return this.#value;
  }

  /** As it was when those who look were told last: what they draw is of one moment. */
  readonly shown = (): Value => this.#shown;

  /** `at once`: in answer to a person, who must not wait. */
  set(value: Value, atOnce = false): void {
    this.#value = value;
    if (atOnce) this.#tell();
    else this.#timer ??= setTimeout(() => this.#tell(), TOLD_EVERY_MS);
  }

  update(change: (value: Value) => Value, atOnce = false): void {
    this.set(change(this.#value), atOnce);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#shown === this.#value) return;
    this.#shown = this.#value;
    for (const listener of this.#listeners) listener();
  }
}

/** What `of` picks has to stay the same object while it does not change. */
export function useStore<Value>(store: Store<Value>): Value;
export function useStore<Value, Part>(store: Store<Value>, of: (value: Value) => Part): Part;
export function useStore<Value>(store: Store<Value>, of: (value: Value) => unknown = (value) => value): unknown {
  return useSyncExternalStore(store.subscribe, () => of(store.shown()));
}
