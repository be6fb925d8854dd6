// A subscription to a Quire collection that survives lost connections: every feed message once, in order, or a resync.
// No dependencies; browsers, Deno, Bun, and Node from 22 on (earlier: pass a WebSocket class).

const UNAUTHENTICATED = 3500;
const FINAL = new Set([UNAUTHENTICATED, 3501, 3503]); // or a bad message, or forbidden: trying again does not help
const PING_MS = 25_000;

/** Seconds grow from half a second to fifteen; a random share of each spreads a thousand clients that lost one server. */
const delay = (attempt) => Math.min(15_000, 500 * 2 ** attempt) * (0.5 + Math.random() / 2);

export class Subscription extends EventTarget {
  #url; #options; #socket; #timer; #ping; #heard = 0; #attempt = 0; #closed = false; #parts = null; #subscribedHere = false;

  /** @param {string} url of the notifier, http(s):// or ws(s):// */
  constructor(url, collectionId, options = {}) {
    super();
    this.#url = new URL("/ws", url.replace(/^http/, "ws"));
    this.#options = options;
    this.collectionId = collectionId;
    this.seq = options.after ?? null;
    this.epoch = options.epoch ?? null;
    this.#connect();
  }

  /** Ends it for good. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#ping);
    this.#socket?.close(1000);
  }

  #say(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #tell(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), { detail }));
  }

  #connect() {
    const Socket = this.#options.WebSocket ?? globalThis.WebSocket;
    const socket = (this.#socket = new Socket(this.#url.href));
    this.#parts = null;
    this.#subscribedHere = false;
    this.#heard = Date.now();
    socket.onopen = async () => {
      let { token } = this.#options;
      try {
        if (typeof token === "function") token = await token();
      } catch (error) {
        return this.#lost(socket, 1006, `there is no token: ${error}`); // unless it was lost meanwhile
      }
      if (socket !== this.#socket || socket.readyState !== 1) return; // lost while the token was waited for
      if (token) this.#say({ type: "AUTHENTICATE", token });
      const again = this.seq === null ? {} : { after: this.seq, ...(this.epoch && { epoch: this.epoch }) };
      this.#say({ type: "SUBSCRIBE", collection_id: this.collectionId, ...again });
    };
    socket.onmessage = ({ data }) => {
      this.#heard = Date.now();
      this.#take(JSON.parse(data));
    };
    socket.onclose = ({ code, reason }) => this.#lost(socket, code, reason);
    clearInterval(this.#ping);
    this.#ping = setInterval(() => {
      if (Date.now() - this.#heard > 2 * PING_MS) return this.#lost(socket, 1006, "no sign of life");
      if (socket.readyState === 1) this.#say({ type: "PING" });
    }, PING_MS);
  }

  #take(message) {
    if (this.#closed) return;
    if (message.type === "SUBSCRIBED") return this.#subscribed(message);
    if (message.type === "ERROR") return this.#tell("error", message);
    if (message.seq === undefined || message.seq <= this.seq) return;
    this.seq = message.seq;
    this.#tell("message", message);
  }

  /** A snapshot may come in several frames; it is told as one. */
  #subscribed(frame) {
    const batches = [...(this.#parts ?? []), ...(frame.snapshot?.batches ?? [])];
    if (frame.more) {
      this.#parts = batches;
      return;
    }
    this.#parts = null;
    this.#attempt = 0;
    this.#subscribedHere = true;
    this.epoch = frame.epoch;
    if (!frame.recovered) this.seq = frame.seq;
    this.#tell("subscribed", { ...frame, snapshot: frame.recovered ? undefined : { batches } });
  }

  #lost(socket, code, reason) {
    if (socket !== this.#socket || this.#closed) return;
    this.#socket = null; // it is lost once, whatever else it or its token may say
    clearInterval(this.#ping);
    socket.onclose = socket.onmessage = null;
    socket.close();
    const renewable = code === UNAUTHENTICATED && this.#subscribedHere && typeof this.#options.token === "function";
    const final = FINAL.has(code) && !renewable; // a token that has expired can be had anew
    const retryIn = final ? null : delay(this.#attempt++);
    if (final) this.#closed = true;
    else this.#timer = setTimeout(() => this.#connect(), retryIn);
    this.#tell("disconnected", { code, reason, final, retryIn });
  }
}

/** Subscribes to `collectionId` of the notifier at `url`. */
export const subscribe = (url, collectionId, options) => new Subscription(url, collectionId, options);
