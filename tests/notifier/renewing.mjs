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
Socket.last.onclose({ code: 3500, reason: "that one is not valid" }); // before it was subscribed: it would not help
console.log(JSON.stringify({ sent, lost }));
process.exit(0);
