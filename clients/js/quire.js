// A subscription to a Quire collection that survives lost connections: every feed message once, in order, or a resync.
// A connection is a WebSocket; where something in front of the notifier lets none through, an event stream; where not even that
// passes, the feed is asked for now and then. No dependencies; browsers, Deno, Bun, and Node from 20 on.

const UNAUTHENTICATED = 3500;
const FORBIDDEN = 3503;
const FINAL = new Set([UNAUTHENTICATED, 3501, FORBIDDEN]); // or a bad message: trying again does not help
const TRY_AGAIN = 3004;
const LOST = 1006;
const PING_MS = 10_000;
const PONG_MS = 10_000; // a server that has not answered by then hangs
const SILENCE_MS = 50_000; // an event stream gives a sign of life every 25 s
const POLL_MS = 2_000;
const POLL_FOR_MS = 300_000; // then a better way is looked for again

/** Seconds grow from half a second to fifteen; a random share of each spreads a thousand clients that lost one server. */
export const delay = (attempt) => Math.min(15_000, 500 * 2 ** attempt) * (0.5 + Math.random() / 2);

/** How a connection ended; `other`: another way may lead there. */
const ended = (code, reason, other = false) => ({ code, reason, other });

export class Subscription extends EventTarget {
  #base; #options; #attempt = 0; #closed = false; #parts; #subscribedHere; #token; #instead; #told; #timer; #wake; #stop; #ask; #way;

  /** @param {string} url of the notifier, http(s):// or ws(s):// */
  constructor(url, collectionId, options = {}) {
    super();
    this.#base = new URL(url).href.replace(/^ws/, "http").replace(/(\/ws)?\/?$/, "");
    this.#options = options;
    this.collectionId = collectionId;
    this.seq = options.after ?? null;
    this.epoch = options.epoch ?? null;
    this.#run();
  }

  /** Ends it for good. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#wake?.();
    this.#stop?.();
  }

  /** Where it waits to try again: it tries now. Where it is connected: it asks whether the server is there still. */
  check() {
    this.#wake?.();
    this.#ask?.();
  }

  #tell(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), { detail }));
  }

  #pause(ms) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#timer = setTimeout(resolve, ms);
    });
  }

  async #run() {
    while (!this.#closed) {
      const end = await this.#byAnyWay();
      if (this.#closed || !end) continue;
      const renewable = end.code === UNAUTHENTICATED && this.#subscribedHere && typeof this.#options.token === "function";
      const final = FINAL.has(end.code) && !renewable; // a token that has expired can be had anew
      const retryIn = final ? null : delay(this.#attempt++);
      if (final) this.#closed = true;
      this.#tell("disconnected", { code: end.code, reason: end.reason, final, retryIn });
      if (!this.#closed) await this.#pause(retryIn);
    }
  }

  /** How it ended; nothing when it did by itself, to look for a better way. */
  async #byAnyWay() {
    this.#token = undefined;
    this.#subscribedHere = false;
    const failures = [];
    for (const [name, way, instead] of [
      ["websocket", () => this.#overWebSocket()],
      ["events", () => this.#overHttp(() => this.#events()), "following by Server-Sent Events instead"],
      ["polling", () => this.#overHttp(() => this.#polling()), "asking for news every 2 s instead"],
    ]) {
      this.#parts = [];
      this.#way = name;
      this.#instead = failures.length ? [...failures, instead].join("; ") : undefined;
      const end = await way();
      if (this.#closed || this.#subscribedHere || !end?.other) return end;
      failures.push(end.reason);
    }
    return ended(LOST, failures.join("; "));
  }

  /** Asked for once in each round. */
  #askForToken() {
    const { token } = this.#options;
    return (this.#token ??= (async () => fit(await (typeof token === "function" ? token() : token)))());
  }

  #overWebSocket() {
    return new Promise((resolve) => {
      const Socket = this.#options.WebSocket ?? globalThis.WebSocket;
      if (!Socket) return resolve(ended(LOST, "there is no WebSocket here", true));
      const socket = new Socket(`${this.#base.replace(/^http/, "ws")}/ws`);
      socket.onerror = () => {}; // onclose follows; and the package ws ends the process where nobody listens for an error
      let watch;
      const say = (message) => socket.send(JSON.stringify(message));
      const expect = () => (watch ??= setTimeout(() => end(LOST, "no sign of life", true), PONG_MS));
      const end = (...how) => {
        clearInterval(ping);
        clearTimeout(watch);
        socket.onclose = socket.onmessage = this.#ask = null;
        socket.close();
        resolve(ended(...how)); // it ends once, whatever else it or its token may say
      };
      this.#ask = () => {
        if (socket.readyState === 1) say({ type: "PING" });
        expect();
      };
      const ping = setInterval(this.#ask, PING_MS);
      this.#stop = () => end(1000, "");
      socket.onopen = async () => {
        let token;
        try {
          token = await this.#askForToken();
        } catch (error) {
          return end(LOST, `there is no token: ${error}`);
        }
        if (!socket.onclose || socket.readyState !== 1) return; // lost while the token was waited for
        if (token) say({ type: "AUTHENTICATE", token });
        say({ type: "SUBSCRIBE", collection_id: this.collectionId, ...this.#place() });
      };
      socket.onmessage = ({ data }) => {
        watch = clearTimeout(watch);
        this.#take(JSON.parse(data));
      };
      socket.onclose = ({ code, reason }) => end(code, reason || `a WebSocket ended with ${code}`, code < 3000);
    });
  }

  async #overHttp(follow) {
    try {
      return await follow();
    } catch (error) {
      return ended(LOST, String(error), error.name === "AbortError"); // nobody there; or no sign of life
    }
  }

  async #events() {
    const [answer, alive] = await this.#get("events", this.#place());
    if (!is(answer, "text/event-stream")) return refusal(answer);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { done, value } = await reader.read().catch(() => ({ done: true })); // a stream that breaks has ended, too
      alive(done);
      if (done) return ended(LOST, "the event stream ended", true);
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line.startsWith("data: ")) this.#take(JSON.parse(line.slice(6)));
    }
  }

  async #polling() {
    const until = Date.now() + POLL_FOR_MS;
    while (!this.#closed) {
      const begins = this.seq === null;
      const [answer, alive] = await this.#get(begins ? "snapshot" : "feed", begins ? {} : { ...this.#place(), limit: 500 });
      if (!is(answer, "application/json")) {
        alive(true);
        if (answer.status !== 410) return refusal(answer);
        this.seq = this.epoch = null; // the feed does not go on there
        continue;
      }
      const body = await answer.json();
      alive(true);
      if (!begins && !this.#subscribedHere) {
        this.#take({ type: "SUBSCRIBED", collection_id: this.collectionId, epoch: body.epoch, seq: this.seq, recovered: true });
      }
      for (const message of begins ? body : body.items) this.#take(message);
      if (begins || body.next_cursor !== null) continue;
      if (Date.now() > until) return undefined;
      await this.#pause(POLL_MS);
    }
  }

  /** The answer, and a function to be called at each sign of life; with true at the end. Without any it is given up. */
  async #get(path, query) {
    const token = await this.#askForToken();
    const control = new AbortController();
    let watch;
    const alive = (over, ms = SILENCE_MS) => {
      clearTimeout(watch);
      if (!over) watch = setTimeout(() => control.abort(), ms);
    };
    this.#stop = () => (alive(true), control.abort());
    alive(false, PONG_MS);
    const where = `${this.#base}/api/collections/${encodeURIComponent(this.collectionId)}/${path}?${new URLSearchParams(query)}`;
    try {
      const answer = await fetch(where, { headers: token ? { Authorization: `Bearer ${token}` } : {}, signal: control.signal });
      alive();
      return [answer, alive];
    } catch (error) {
      alive(true);
      throw error;
    }
  }

  #place() {
    return this.seq === null ? {} : { after: this.seq, ...(this.epoch && { epoch: this.epoch }) };
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
    this.#parts.push(...(frame.snapshot?.batches ?? []));
    if (frame.more) return;
    const batches = this.#parts;
    this.#parts = [];
    this.#attempt = 0;
    this.#subscribedHere = true;
    this.epoch = frame.epoch;
    if (!frame.recovered) this.seq = frame.seq;
    if (this.#instead && this.#instead !== this.#told) this.#tell("fallback", { reason: this.#instead });
    this.#told = this.#instead;
    this.#tell("subscribed", { ...frame, way: this.#way, snapshot: frame.recovered ? undefined : { ...frame.snapshot, batches } });
  }
}

/** The token without blanks around it; what no header takes is refused here, as fetch says what it was. */
export function fit(token) {
  const text = token?.trim();
  if (text && !/^[ -~]+$/.test(text)) throw new Error("the token holds a line break or another character that no token has");
  return text;
}

const is = (answer, type) => answer.ok && (answer.headers.get("content-type") ?? "").startsWith(type);

/** Quire's own refusal as a close code; anything else comes from what stands in front of it. */
async function refusal(answer) {
  const problem = await answer.json().catch(() => null);
  if (!problem?.code) return ended(LOST, `${answer.url.split("?")[0]} answered ${answer.status}, and not as Quire does`, true);
  const passes = answer.status >= 500 || answer.status === 429;
  return ended(answer.status === 401 ? UNAUTHENTICATED : passes ? TRY_AGAIN : FORBIDDEN, problem.detail);
}

/** Subscribes to `collectionId` of the notifier at `url`. */
export const subscribe = (url, collectionId, options) => new Subscription(url, collectionId, options);
