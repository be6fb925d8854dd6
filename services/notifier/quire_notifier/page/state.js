// Where every batch of the collection stands: a fold over snapshot and feed messages. Nothing here touches the page.

const MESSAGES_KEPT = 200;
const ENDED_KEPT = 200;
export const TERMINAL = new Set(["completed", "completed_with_errors", "failed", "cancelled"]);

/** Batches by id, as the API's Batch with `files` by id, those that were heard of; `inFlight` is what is worked on right now.
 * Messages up to `asOf` are in it. `vague`: where it stands has to be asked for. */
export class Batches {
  #batches = new Map();
  /** Ids whose batch has changed since they were last taken. */
  dirty = new Set();

  get(id) {
    return this.#batches.get(id);
  }

  /** The newest first. */
  all() {
    return [...this.#batches.values()].sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  }

  /** Forgets the batches that ended first, but for the one that is shown. */
  trim(shown) {
    const ended = this.all().filter((batch) => TERMINAL.has(batch.status) && batch.batch_id !== shown);
    for (const { batch_id } of ended.slice(ENDED_KEPT)) this.#batches.delete(batch_id);
  }

  clear() {
    this.#batches.clear();
  }

  /** A batch as the API shows it, as of a place in the feed; its messages stay. */
  put(view, asOf = 0) {
    const files = new Map((view.files ?? []).map((file) => [file.file_id, file]));
    const { early = [], messages = [], told = 0, past = false } = this.#batches.get(view.batch_id) ?? {};
    const batch = { early, messages, told, past, ...view, files, inFlight: view.in_flight ?? [], asOf, vague: false };
    this.#batches.set(view.batch_id, batch);
    this.dirty.add(view.batch_id);
  }

  /** A snapshot's first part. */
  begin(part) {
    for (const batch of this.#batches.values()) batch.asOf = 0; // another epoch counts anew
    part.snapshot.batches.forEach((batch) => this.put(batch, part.seq));
  }

  /** A further part: what was heard of meanwhile is newer. */
  add(part) {
    for (const batch of part.snapshot.batches) if (!this.get(batch.batch_id)) this.put(batch, part.seq);
  }

  /** Asks where a batch stands, again where messages came meanwhile: an answer that travelled must not undo them. */
  async refresh(id, ask) {
    for (;;) {
      const told = this.get(id)?.told;
      const view = await ask();
      if (this.get(id)?.told !== told) continue;
      this.put(view);
      return;
    }
  }

  /** The next message of the feed; true when its batch has just ended. */
  take(message) {
    const batch = this.#batches.get(message.batch_id) ?? this.#unknown(message);
    if (message.seq <= batch.asOf) return false;
    batch.told += 1;
    batch.messages = [...batch.messages.slice(1 - MESSAGES_KEPT), message];
    batch.last_seen_at = message.at;
    const ended = CHANGES[message.type]?.(batch, message) === true;
    this.dirty.add(batch.batch_id);
    return ended;
  }

  #unknown({ batch_id, collection_id, at, type }) {
    const batch = {
      batch_id, collection_id, created_at: at, status: "queued", total: 0, processed: 0, failed: 0, cancelled: 0,
      attempt: 0, generation: 0, stage: null, files: new Map(), inFlight: [], early: [], messages: [], told: 0, past: false,
      asOf: 0, vague: type !== "BATCH_CREATED",
    };
    this.#batches.set(batch_id, batch);
    return batch;
  }
}

function counts(batch, { processed, failed, cancelled, total }) {
  batch.total = total;
  if (batch.files.size === total) return; // each is counted: the message may be older than what was asked for
  Object.assign(batch, { processed, failed, cancelled: cancelled ?? batch.cancelled });
}

function over(status) {
  return (batch, message) => {
    counts(batch, message);
    Object.assign(batch, { status: message.status ?? status, ended_at: message.at, inFlight: [] });
    if (status === "failed") Object.assign(batch, { error_code: message.code, error_message: message.message });
    return true;
  };
}

const CHANGES = {
  BATCH_CREATED(batch, { files }) {
    batch.files = new Map(files.map(({ file_id }) => [file_id, { file_id, processing_status: "queued" }]));
    batch.total = files.length;
  },
  BATCH_PROCESSING_STARTED(batch, { attempt, at }) {
    Object.assign(batch, { status: "processing", attempt, started_at: batch.started_at ?? at, ended_at: null });
  },
  BATCH_PROCESSING_PROGRESS(batch, message) {
    counts(batch, message);
    batch.inFlight = message.in_flight;
    batch.stage = message.stage;
    if (message.stage === "released") batch.status = "queued";
  },
  FILES_PROCESSED(batch, { file_id, status }) {
    const before = batch.files.get(file_id)?.processing_status;
    if (before in batch) batch[before] -= 1;
    batch.files.set(file_id, { file_id, processing_status: status });
    batch[status] += 1;
    batch.inFlight = batch.inFlight.filter((position) => position.file_id !== file_id);
  },
  BATCH_PROCESSING_COMPLETED: over("completed"),
  BATCH_PROCESSING_FAILED: over("failed"),
  BATCH_PROCESSING_CANCELLED: over("cancelled"),
  BATCH_RETRY_REQUESTED(batch, { file_ids, generation }) {
    for (const id of file_ids) {
      const before = batch.files.get(id)?.processing_status;
      if (before in batch) batch[before] -= 1;
      batch.vague ||= before === undefined;
      batch.files.set(id, { file_id: id, processing_status: "queued" });
    }
    Object.assign(batch, { status: "queued", generation, inFlight: [], started_at: null, ended_at: null, error_code: null, stage: null });
  },
};

/** Seconds until the batch is done, at the pace of this attempt; null while that cannot be said. */
export function rest(batch, now) {
  const done = batch.processed + batch.failed;
  if (batch.status !== "processing" || !done || !batch.started_at) return null;
  const spent = (now - Date.parse(batch.started_at)) / 1000;
  return spent > 0 ? (spent / done) * (batch.total - done) : null;
}
