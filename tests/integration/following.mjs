// Quire's own client, cut off again and again: prints every seq it has seen, and how often it was subscribed.
import { createRequire } from "node:module";
import { subscribe } from "../../clients/js/quire.js";

const WebSocket = globalThis.WebSocket ?? createRequire(`${process.argv[2]}/`)("ws");
const [, , , url, collection, wanted] = process.argv;
const open = [];
class Watched extends WebSocket {
  constructor(address) {
    super(address);
    open.push(this);
  }
}
const seqs = [];
const recovered = [];
const feed = subscribe(url, collection, { WebSocket: Watched });
feed.addEventListener("subscribed", ({ detail }) => {
  if (!recovered.length) console.log("subscribed");
  recovered.push(detail.recovered);
});
feed.addEventListener("message", ({ detail }) => {
  seqs.push(detail.seq);
  if (seqs.length % 20 === 10 && open.length < 4) open.at(-1).close();
  if (seqs.length === Number(wanted)) {
    console.log(JSON.stringify({ seqs, recovered }));
    process.exit(0);
  }
});
