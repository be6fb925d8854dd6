import type { AnyFeedMessage, BatchView } from "./contract";

export type * from "./contract";

/** A message of the feed; `type` says which. `seq` is contiguous within a collection and epoch, from 1. */
export type FeedMessage = AnyFeedMessage;

/** The oldest active batches, 500 at most, without their files. */
export interface Snapshot {
  batches: readonly BatchView[];
  /** How many are active, here or not. */
  total: number;
  /** Where `GET /api/collections/{id}/snapshot?cursor=` goes on; null: nowhere. */
  next_cursor: string | null;
}

export interface Subscribed {
  collection_id: string;
  epoch: string;
  seq: number;
  /** True: nothing was missed. False: forget what you know and begin with the snapshot. */
  recovered: boolean;
  /** How the messages come. */
  way: "websocket" | "events" | "polling";
  snapshot?: Snapshot;
}

export interface Disconnected {
  code: number;
  reason: string;
  /** True: it will not be tried again. */
  final: boolean;
  /** Milliseconds until the next attempt; null when there is none. */
  retryIn: number | null;
}

export interface Options {
  /** Go on after this message … */
  after?: number;
  /** … of this epoch. */
  epoch?: string;
  /** Where Quire asks for one; a function is asked at each connection. */
  token?: string | (() => string | Promise<string>);
  /** Where there is no global WebSocket; without any, it follows by Server-Sent Events. */
  WebSocket?: new (url: string) => WebSocket;
}

interface Events {
  subscribed: Event & { detail: Subscribed };
  message: Event & { detail: FeedMessage };
  disconnected: Event & { detail: Disconnected };
  /** There is no WebSocket through here: why, and what is done instead. */
  fallback: Event & { detail: { reason: string } };
  error: Event & { detail: { code: string; message: string; collection_id?: string } };
}

export class Subscription extends EventTarget {
  constructor(url: string, collectionId: string, options?: Options);
  readonly collectionId: string;
  /** The last message's; null before the first SUBSCRIBED. */
  readonly seq: number | null;
  readonly epoch: string | null;
  addEventListener<K extends keyof Events>(
    type: K,
    listener: (event: Events[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** Tries again at once where it waits to; asks whether the server is there still where it is connected. */
  check(): void;
  /** Ends it for good. */
  close(): void;
}

/** Subscribes to a collection of the notifier at `url`, http(s):// or ws(s)://. */
export function subscribe(url: string, collectionId: string, options?: Options): Subscription;
