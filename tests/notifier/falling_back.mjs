// The JavaScript client where no WebSocket leads to the notifier: what it has seen until there is enough of it, as JSON. On stderr,
// that it is subscribed. Enough are so many messages as are wanted; where none are named, stdin tells the last one.
// A directory with the package ws makes the WebSocket a real one; else a stub is refused at once.
import { createRequire } from "node:module";

const { subscribe } = await import(process.argv[2]);
const [, , , url, wanted, token, packages] = process.argv;

class Refused {
  constructor() {
    setTimeout(() => this.onclose({ code: 1006, reason: "" }), 1);
  }
  close() {}
}

const seen = { seqs: [], subscribed: [], fallbacks: [], lost: [] };
const feed = subscribe(url, "c", { WebSocket: packages ? createRequire(`${packages}/`)("ws") : Refused, token });
const finish = () => (console.log(JSON.stringify(seen)), process.exit(0));
feed.addEventListener("subscribed", ({ detail }) => {
  seen.subscribed.push([detail.seq, detail.recovered]);
  console.error("subscribed");
});
feed.addEventListener("fallback", ({ detail }) => seen.fallbacks.push(detail.reason));
feed.addEventListener("disconnected", ({ detail }) => {
  seen.lost.push([detail.code, detail.reason, detail.final]);
  if (detail.final || wanted === "0") finish();
});
let last = Number.POSITIVE_INFINITY;
const look = () => (seen.seqs.length === (wanted ? Number(wanted) : -1) || seen.seqs.at(-1) >= last) && finish();
feed.addEventListener("message", ({ detail }) => {
  seen.seqs.push(detail.seq);
  look();
});
if (wanted === "") {
  process.stdin.on("data", (line) => {
    last = Number(line);
    look();
  });
}
