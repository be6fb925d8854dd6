// Where the page is: `ROOT` is the notifier's address, which may lie below a path. Loaded first, as the router reads the address.

/** The scripts lie in `assets/`, one below it. */
export const ROOT = new URL("..", import.meta.url);

/** The path that every address of the page begins with, without its last slash. */
export const BASE = ROOT.pathname.replace(/\/$/, "");

try {
  decodeURIComponent(location.pathname);
} catch {
  history.replaceState(null, "", ROOT);
}
