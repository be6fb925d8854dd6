// The unmodified centrifuge client: subscribes, is cut off after ten messages, and prints every seq it has seen.
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/`);
const { Centrifuge } = require("centrifuge");
const WebSocket = require("ws");

const [, , , url, channel, wanted] = process.argv;
const client = new Centrifuge(url, { websocket: WebSocket, minReconnectDelay: 50, maxReconnectDelay: 100 });
const subscription = client.newSubscription(channel, { recoverable: true, positioned: true });
const seqs = [];
const recovered = [];
subscription.on("subscribed", (context) => {
  if (!recovered.length) console.log("subscribed");
  recovered.push(context.recovered);
});
subscription.on("publication", ({ data }) => {
  seqs.push(data.seq);
  if (seqs.length === 10) client._transport._transport.close();
  if (seqs.length === Number(wanted)) {
    console.log(JSON.stringify({ seqs, recovered }));
    process.exit(0);
  }
});
subscription.subscribe();
client.connect();
