// What a screen reader is told, and what stands for a moment at the foot of the page.

import { Store } from "./state/store";

export interface Said {
  readonly id: number;
  readonly text: string;
  readonly bad: boolean;
}

const SHOWN_MS = 8000;
const SPOKEN_MS = 1500;
const waiting: string[] = [];
let speaking: ReturnType<typeof setTimeout> | undefined;
let last = 0;

/** The sentence that is announced. */
export const announced = new Store("");
export const toasts = new Store<readonly Said[]>([]);

/** One after the other: a sentence that is replaced at once is never read. */
export function announce(text: string): void {
  waiting.push(text);
  speaking ??= setTimeout(speak);
}

function speak(): void {
  const text = waiting.shift();
  speaking = text === undefined ? undefined : setTimeout(speak, SPOKEN_MS);
  if (text !== undefined) announced.set(announced.get() === text ? `${text}\u00a0` : text, true);
}

/** Announced and shown. */
export function say(text: string, bad = false): void {
  const id = ++last;
  announce(text);
  toasts.update((some) => [...some.slice(-2), { id, text, bad }], true);
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export const dismiss = (id: number): void => toasts.update((some) => some.filter((each) => each.id !== id), true);
