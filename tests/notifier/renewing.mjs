// The JavaScript client and tokens that are had anew: what it sent over each socket, and whether it gave up, as JSON.
const { subscribe } = await import(process.argv[2]);

const sent = [];
class Socket {
  readyState = 1;
  constructor() {
    Socket.last = this;
    sent.push([]);
    setTimeout(() => this.onopen(), 1);
  }
  send(text) {
    sent.at(-1).push(JSON.parse(text));
  }
  close() {}
}

let asked = 0;
const token = async () => {
  asked += 1;
  if (asked === 1) throw new Error("nobody gives tokens just now");
  return `token ${asked}`;
};
const lost = [];
const subscription = subscribe("http://localhost", "c", { token, WebSocket: Socket });
subscription.addEventListener("disconnected", ({ detail }) => lost.push(detail.final));

const until = async (true_) => {
  while (!true_()) await new Promise((resolve) => setTimeout(resolve, 5));
};
await until(() => sent.length === 2 && sent[1].length === 2); // without a token it tried again
const subscribed = { type: "SUBSCRIBED", collection_id: "c", epoch: "e", seq: 3, recovered: false, snapshot: { batches: [] } };
Socket.last.onmessage({ data: JSON.stringify(subscribed) });
Socket.last.onclose({ code: 3500, reason: "the token has expired" });
await until(() => sent.length === 3 && sent[2].length === 2);
Socket.last.onclose({ code: 3004, reason: "the key set cannot be fetched now" }); // that passes
await until(() => sent.length === 4 && sent[3].length === 2);
Socket.last.onclose({ code: 3500, reason: "that one is not valid" }); // before it was subscribed: it would not help

// A connection that is lost while its token is waited for, and a token that then is not to be had, are one loss.
const before = sent.length;
let refuse;
const other = subscribe("http://localhost", "d", { token: () => new Promise((_, reject) => (refuse = reject)), WebSocket: Socket });
const twice = [];
other.addEventListener("disconnected", () => twice.push(sent.length - before));
await until(() => refuse);
Socket.last.onclose({ code: 1006, reason: "" });
refuse(new Error("nobody gives tokens just now"));
await until(() => sent.length === before + 2);
await new Promise((resolve) => setTimeout(resolve, 1100)); // longer than the longest first pause
const opened = sent.splice(before).length;
console.log(JSON.stringify({ sent, lost, twice, opened }));
process.exit(0);
