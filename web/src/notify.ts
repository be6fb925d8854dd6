// A notification of the browser at an upload's end, for whoever wished for it and looks elsewhere.

const KEY = "quire-notify";

export const possible = "Notification" in globalThis;
export const wished = (): boolean => possible && localStorage.getItem(KEY) === "yes" && Notification.permission === "granted";

/** What became of the wish: the browser asks the person, who may say no. */
export async function wish(yes: boolean): Promise<boolean> {
  const allowed = yes && possible && (await Notification.requestPermission()) === "granted";
  localStorage.setItem(KEY, allowed ? "yes" : "no");
  return allowed;
}

export function notify(title: string, body: string): void {
  if (wished() && document.visibilityState === "hidden") new Notification(title, { body, tag: title });
}
