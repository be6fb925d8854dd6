// What a person chose for the next uploads, kept on this device.

import { Store } from "./state/store";

const KEY = "quire-policy";
export type Policy = "isolate" | "all_or_nothing";

export const policy = new Store<Policy>(localStorage.getItem(KEY) === "all_or_nothing" ? "all_or_nothing" : "isolate");

export function choosePolicy(value: Policy): void {
  localStorage.setItem(KEY, value);
  policy.set(value, true);
}
