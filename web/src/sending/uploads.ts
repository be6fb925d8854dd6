// Uploads that this page sends, each on its own: checked, sent, sent again by itself, stopped, taken up after a reload.

import type { Accepted, BatchCreatedMessage } from "@quire/client/contract";
import { announce, say } from "../announce";
import { said } from "../api/http";
import { request as askRequest, config } from "../api/server";
import { cancelBatches, cancelUpload } from "../commands";
import { listen } from "../live";
import { Store } from "../state/store";
import { TEXT } from "../texts";
import { check, type Rejected, readable, size } from "./check";
import { type Chosen, type Gathered, nameOf, ofHandles } from "./gather";
import { drop, hold, interrupted, type Kept, keep, note } from "./kept";
import { Broken, passes, Stopped, send } from "./send";

export interface Sending {
  readonly key: string;
  readonly name: string;
  readonly collection: string;
  readonly phase: "checking" | "sending" | "storing" | "again" | "done" | "stopped" | "refused" | "interrupted";
  readonly count: number;
  readonly bytes: number;
  readonly sent: number;
  /** Bytes a second, of late; null while that cannot be said. */
  readonly speed: number | null;
  /** When it is sent again, in milliseconds since 1970. */
  readonly until: number;
  /** Why it is not sent, or sent again. */
  readonly why: string | null;
  readonly accepted: number;
  /** Known once the first batch of it is. */
  readonly request: string | null;
  readonly rejected: readonly Rejected[];
  readonly folder: boolean;
  readonly withHandles: boolean;
  /** What was accepted of a stopped upload is cancelled, too. */
  readonly undone: boolean;
}

interface Inside {
  files: readonly Chosen[];
  readonly policy: string;
  readonly handles: readonly FileSystemHandle[];
  manifest: readonly (readonly [string, number])[];
  abort: () => void;
  wake: () => void;
  stopped: boolean;
}

const PAUSES_S = [1, 2, 4, 8, 15, 30];
const SPEED_MS = 5000;

export const sendings = new Store<readonly Sending[]>([]);
const insides = new Map<string, Inside>();

/** Of 128 random bits; `crypto.randomUUID` is there in secure contexts only. */
const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const find = (key: string): Sending | undefined => sendings.get().find((each) => each.key === key);

function change(key: string, what: Partial<Sending>, atOnce = true): void {
  sendings.update((all) => all.map((each) => (each.key === key ? { ...each, ...what } : each)), atOnce);
}

export function dismiss(key: string): void {
  sendings.update((all) => all.filter((each) => each.key !== key), true);
  insides.delete(key);
  void drop(key);
}

/** Whether leaving the page would end something. */
export const busy = (): boolean => sendings.get().some(({ phase }) => phase === "checking" || running(phase));
export const running = (phase: Sending["phase"]) => phase === "sending" || phase === "storing" || phase === "again";

/** Whether files of an upload still travel from here, or are to: it has not ended, however its batches stand. */
export const arriving = (request: string): boolean =>
  sendings.get().some((each) => each.request === request && (running(each.phase) || each.phase === "interrupted"));

const blank = (key: string, name: string, collection: string): Sending => ({
  key,
  name,
  collection,
  phase: "checking",
  count: 0,
  bytes: 0,
  sent: 0,
  speed: null,
  until: 0,
  why: null,
  accepted: 0,
  request: null,
  rejected: [],
  folder: false,
  withHandles: false,
  undone: false,
});

/** Files were chosen: from a promise, as a folder takes its time to be read. */
export async function begin(gathering: Promise<Gathered>, collection: string, policy: string): Promise<void> {
  const key = newKey();
  sendings.update((all) => [...all, blank(key, "", collection)], true);
  const { chosen, handles } = await gathering;
  if (!chosen.length) {
    dismiss(key);
    return say(TEXT.sending.nothing, true);
  }
  const folder = chosen.some(({ path }) => path.includes("/"));
  change(key, { name: nameOf(chosen), count: chosen.length, folder });
  const { limits } = await config();
  const { good, rejected, beyond } = await check(chosen, limits);
  change(key, { rejected, count: good.length, bytes: size(good) });
  if (beyond) return change(key, { phase: "refused", why: beyond });
  if (rejected.length) change(key, { name: nameOf(good) });
  const manifest = good.map(({ path, file }) => [path, file.size] as const);
  insides.set(key, { files: good, policy, handles, manifest, abort: nothing, wake: nothing, stopped: false });
  await keep({ key, name: find(key)?.name ?? "", collection, policy, folder, manifest, handles, at: Date.now() });
  const over = deliver(key);
  hold(key, over);
  await over;
}

const nothing = () => undefined;

/** Until it is accepted, refused or stopped. */
async function deliver(key: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const inside = insides.get(key);
    const now = find(key);
    if (!inside || !now) return;
    change(key, { phase: "sending", sent: 0, speed: null, why: null });
    try {
      const { answer, abort } = send(inside.files, { ...now, policy: inside.policy }, meter(key));
      inside.abort = abort;
      return accepted(key, await answer);
    } catch (error) {
      if (inside.stopped || error instanceof Stopped) return;
      const lost = error instanceof Broken && !(await readable(inside.files));
      if (lost || !passes(error)) return refused(key, lost ? TEXT.sending.unreadable : said(error));
      const seconds = PAUSES_S[Math.min(attempt, PAUSES_S.length - 1)] ?? 30;
      const why = error instanceof Broken ? TEXT.sending.broke : said(error);
      change(key, { phase: "again", until: Date.now() + seconds * 1000, why });
      await new Promise<void>((resolve) => {
        inside.wake = resolve;
        setTimeout(resolve, seconds * 1000);
      });
      if (inside.stopped) return;
    }
  }
}

/** Bytes a second over the last seconds, as the person sees them go. */
function meter(key: string): (sent: number, total: number) => void {
  const marks: [number, number][] = [];
  return (sent, total) => {
    const now = performance.now();
    marks.push([now, sent]);
    while (marks.length > 2 && (marks[0]?.[0] ?? now) < now - SPEED_MS) marks.shift();
    const [then, before] = marks[0] ?? [now, sent];
    const speed = now - then > 300 ? ((sent - before) / (now - then)) * 1000 : null;
    change(key, { phase: sent >= total ? "storing" : "sending", sent, bytes: total, speed }, false);
  };
}

function accepted(key: string, { accepted: count, rejected, request_id }: Accepted): void {
  const before = find(key)?.rejected ?? [];
  change(key, {
    phase: "done",
    accepted: count,
    request: request_id,
    rejected: [...before, ...rejected],
  });
  announce(TEXT.announce.accepted(count));
  void drop(key);
}

function refused(key: string, why: string): void {
  change(key, { phase: "refused", why });
  announce(why);
}

/** A batch came into being: is it of one of ours? The first one is known by its files. */
function claim({ batch_id, collection_id, request_id, files }: BatchCreatedMessage): void {
  for (const { key, collection, phase, request, accepted: before, undone } of sendings.get()) {
    const inside = insides.get(key);
    if (!inside || collection !== collection_id || phase === "done" || phase === "interrupted") continue;
    if (!request_id || (request ? request !== request_id : !holds(inside.manifest, files))) continue;
    if (!request) void note(key, request_id);
    change(key, { request: request_id, accepted: before + files.length }, false);
    if (inside.stopped && undone) void cancelBatches([batch_id]);
    return;
  }
}

/** One after the other. */
function holds(manifest: Inside["manifest"], files: BatchCreatedMessage["files"]): boolean {
  const is = (at: number, place: number) => {
    const [path, size] = manifest[at] ?? ["", -1];
    return files[place]?.size === size && files[place]?.filename === path.split("/").at(-1);
  };
  const start = manifest.findIndex((_, at) => is(at, 0));
  return start >= 0 && files.every((_, place) => is(start + place, place));
}

listen((message) => message.type === "BATCH_CREATED" && claim(message));

/** Ends it. What was accepted goes on, or is cancelled with it: also what turns out to be accepted only now. */
export async function stop(key: string, undo: boolean): Promise<void> {
  const inside = insides.get(key);
  if (!inside) return dismiss(key);
  inside.stopped = true;
  change(key, { phase: "stopped", undone: undo, why: null });
  inside.abort();
  inside.wake();
  void drop(key);
  const request = find(key)?.request;
  if (undo && request) await cancelUpload(request);
}

/** Does not wait any longer. */
export const sendNow = (key: string): void => insides.get(key)?.wake();

/** Once more, after a refusal: with the same key, so that nothing is doubled. */
export async function sendAgain(key: string): Promise<void> {
  if (insides.has(key)) await deliver(key);
}

/** Uploads that a reload, or a crash, has interrupted. */
export async function remember(): Promise<void> {
  for (const kept of await interrupted()) {
    if (find(kept.key)) continue;
    const bytes = kept.manifest.reduce((sum, [, each]) => sum + each, 0);
    const { key, name, collection, manifest, folder, handles, request = null } = kept;
    const known = {
      phase: "interrupted",
      count: manifest.length,
      bytes,
      folder,
      withHandles: handles.length > 0,
      request,
    } as const;
    sendings.update((all) => [...all, { ...blank(key, name, collection), ...known }], true);
    keeping.set(key, kept);
  }
}

const keeping = new Map<string, Kept>();

/** Takes an interrupted upload up: with the files that the browser finds itself, or those chosen again. */
export async function takeUp(key: string, gathering?: Promise<Gathered>): Promise<void> {
  const kept = keeping.get(key);
  if (!kept) return;
  const gathered = await (gathering ?? ofHandles(kept.handles).catch(() => null));
  if (!gathered) return change(key, { withHandles: false });
  const found = new Map(gathered.chosen.map((each) => [`${each.path}\n${each.file.size}`, each]));
  const named = new Map(gathered.chosen.map((each) => [`${each.path.split("/").at(-1)}\n${each.file.size}`, each]));
  const files = kept.manifest.map(
    ([path, bytes]) => found.get(`${path}\n${bytes}`) ?? named.get(`${path.split("/").at(-1)}\n${bytes}`),
  );
  const missing = files.filter((each) => !each).length;
  if (missing) return change(key, { why: TEXT.sending.otherFiles(missing), withHandles: false });
  const same = files.map((each, at) => ({ file: (each as Chosen).file, path: kept.manifest[at]?.[0] ?? "" }));
  const { policy, handles, manifest } = kept;
  insides.set(key, {
    files: same,
    policy,
    handles,
    manifest,
    abort: nothing,
    wake: nothing,
    stopped: false,
  });
  if (kept.request) {
    const known = await askRequest(kept.request).catch(() => null);
    change(key, { accepted: known?.files.total ?? 0 });
  }
  const over = deliver(key);
  hold(key, over);
  await over;
}

addEventListener("beforeunload", (event) => {
  if (busy()) event.preventDefault();
});
