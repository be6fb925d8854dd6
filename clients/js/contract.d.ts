// Made by `python -m quire_schemas.generate` from the structs of quire_schemas; never edited.

/**
 * The 202 of an upload: a promise that every batch in it is in the log.
 */
export interface Accepted {
  request_id: string;
  collection_id: string;
  accepted: number;
  rejected: readonly (RejectedFile)[];
  batches: readonly (CreatedBatch)[];
}

/**
 * The token of the socket, where QUIRE_AUTH is jwt: the first message, and again before it expires.
 */
export interface Authenticate {
  type: "AUTHENTICATE";
  token: string;
}

/**
 * The token was accepted; `expires_at` is when the socket will be closed with 3500 unless a newer one is sent.
 */
export interface Authenticated {
  type: "AUTHENTICATED";
  expires_at: string | null;
}

/**
 * What one batch answered to a command to its request: 202, or the status and code of a problem.
 */
export interface BatchAnswer {
  batch_id: string;
  status: number;
  code?: string;
}

/**
 * The batch was cancelled; files that had finished stay as they were.
 */
export interface BatchCancelledMessage {
  type: "BATCH_PROCESSING_CANCELLED";
  collection_id: string;
  seq: number;
  batch_id: string;
  at: string;
  processed: number;
  failed: number;
  cancelled: number;
  total: number;
  reason: string | null;
}

/**
 * `duration_ms` from the first start of this generation.
 */
export interface BatchCompletedMessage {
  type: "BATCH_PROCESSING_COMPLETED";
  collection_id: string;
  seq: number;
  batch_id: string;
  at: string;
  processed: number;
  failed: number;
  cancelled: number;
  total: number;
  status: "completed" | "completed_with_errors";
  duration_ms: number;
}

/**
 * Batches of a request; all of them, once the answer to the upload is there.
 */
export interface BatchCounts {
  total: number;
  ended: number;
}

/**
 * A batch was accepted and waits for a processor; `request_name` where its request has one.
 */
export interface BatchCreatedMessage {
  type: "BATCH_CREATED";
  collection_id: string;
  seq: number;
  batch_id: string;
  at: string;
  files: readonly (CreatedFile)[];
  request_id?: string;
  request_name?: string;
}

/**
 * The batch failed as a whole; what is known of its files stands in the counts.
 */
export interface BatchFailedMessage {
  type: "BATCH_PROCESSING_FAILED";
  collection_id: string;
  seq: number;
  batch_id: string;
  at: string;
  processed: number;
  failed: number;
  cancelled: number;
  total: number;
  code: "all_files_failed" | "attempts_exhausted" | "file_failed";
  message: string;
}

/**
 * `released`: the run was handed over, the batch is queued again. `waiting_for`: what the run cannot reach.
 */
export interface BatchProgressMessage {
  type: "BATCH_PROCESSING_PROGRESS";
  collection_id: string;
  seq: number;
  batch_id: string;
  at: string;
  stage: "cloud_upload_complete" | "database_insert_complete" | "heartbeat" | "started" | "released";
  processed: number;
  failed: number;
  total: number;
  in_flight: readonly (FilePosition)[];
  waiting_for?: readonly ("database" | "disk" | "log" | "storage")[];
}

/**
 * `file_ids` are queued again; `generation` is the new one.
 */
export interface BatchRetryMessage {
  type: "BATCH_RETRY_REQUESTED";
  collection_id: string;
  seq: number;
  batch_id: string;
  at: string;
  file_ids: readonly (string)[];
  generation: number;
}

/**
 * A run has begun; `attempt` counts over all generations, from 1.
 */
export interface BatchStartedMessage {
  type: "BATCH_PROCESSING_STARTED";
  collection_id: string;
  seq: number;
  batch_id: string;
  at: string;
  attempt: number;
  total: number;
}

/**
 * A batch; `files` only where one batch is asked for, `in_flight` there and in a snapshot.
 */
export interface BatchView {
  batch_id: string;
  collection_id: string;
  request_id: string;
  status: "cancelled" | "completed" | "completed_with_errors" | "failed" | "processing" | "queued";
  policy: "all_or_nothing" | "isolate";
  generation: number;
  attempt: number;
  stage: "cloud_upload_complete" | "database_insert_complete" | "heartbeat" | "started" | null;
  total: number;
  processed: number;
  failed: number;
  cancelled: number;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  last_seen_at: string | null;
  worker: string | null;
  error_code: "all_files_failed" | "attempts_exhausted" | "file_failed" | null;
  error_message: string | null;
  files?: readonly (FileView)[];
  in_flight?: readonly (FilePosition)[];
}

/**
 * A collection that has ever had a batch. `active`: batches that have not ended. `files`: how many stand where.
 */
export interface CollectionView {
  collection_id: string;
  last_seq: number;
  active: number;
  files: FileCounts;
}

/**
 * The 202 of a cancel or retry: the event is in the log.
 */
export interface CommandAccepted {
  batch_id: string;
  event_id: string;
  generation: number;
}

/**
 * What a client has to know first. An empty `ingest_url`: the notifier's own origin. `auth` is none or jwt.
 */
export interface Config {
  ingest_url: string;
  auth: string;
  batch_size: number;
  limits: UploadLimits;
}

/**
 */
export interface CreatedBatch {
  batch_id: string;
  files: readonly (CreatedFile)[];
}

/**
 * An accepted file; `size` in bytes.
 */
export interface CreatedFile {
  file_id: string;
  filename: string;
  size: number;
}

/**
 * What was wrong with a client message and what to do; `collection_id` where it was about one.
 */
export interface Error {
  type: "ERROR";
  code: string;
  message: string;
  collection_id?: string;
}

/**
 * The files of a request or a collection that failed for one reason; `message` is the sentence that most of them have.
 * `retriable` are in batches that have ended. `request_ids`, of a collection: uploads that hold such files, 100 at most.
 */
export interface FailureView {
  code: "batch_failed" | "corrupt" | "database_unavailable" | "disk_full" | "empty" | "encrypted" | "internal" | "not_a_pdf" | "object_corrupt" | "object_missing" | "out_of_memory" | "storage_unavailable" | "timeout" | "too_large" | "too_many_pages" | "worker_crashed";
  count: number;
  retriable: number;
  message: string;
  request_ids?: readonly (string)[];
}

/**
 * How many files stand where; `total` is their sum.
 */
export interface FileCounts {
  total: number;
  queued: number;
  processing: number;
  processed: number;
  failed: number;
  cancelled: number;
}

/**
 * A file became settled, so long after it came into work; a later one for the same file supersedes it. `notices` say what of
 * it is not in its text.
 */
export interface FileMessage {
  type: "FILES_PROCESSED";
  collection_id: string;
  seq: number;
  batch_id: string;
  at: string;
  file_id: string;
  filename: string;
  status: "cancelled" | "failed" | "processed" | "processing" | "queued";
  page_count?: number;
  truncated?: boolean;
  pages_read?: number;
  characters?: number;
  notices?: readonly (Notice)[];
  duration_ms?: number;
  error_code?: "batch_failed" | "corrupt" | "database_unavailable" | "disk_full" | "empty" | "encrypted" | "internal" | "not_a_pdf" | "object_corrupt" | "object_missing" | "out_of_memory" | "storage_unavailable" | "timeout" | "too_large" | "too_many_pages" | "worker_crashed";
  error_message?: string;
}

/**
 * What is being worked on right now, since `started_at`; `page` of `pages` while text is extracted.
 */
export interface FilePosition {
  file_id: string;
  stage: "extracting" | "fetching" | "inserting" | "uploading";
  page: number | null;
  pages: number | null;
  filename?: string;
  started_at?: string;
}

/**
 * A file; `file_size` in bytes, `upload_progress` in percent of bytes known to be in object storage. `position` is its place
 * in the batch, from 0; `path` where it lay in the folder that was uploaded.
 *
 * `characters` counts the text of the `pages_read` pages; `notices` say what of the file is not in it. `started_at` is when it
 * came into work, `duration_ms` how long it then took; null where that is not known, or not yet.
 */
export interface FileView {
  file_id: string;
  batch_id: string;
  collection_id: string;
  original_filename: string;
  path: string | null;
  position: number;
  file_size: number;
  processing_status: "cancelled" | "failed" | "processed" | "processing" | "queued";
  upload_progress: number;
  error_code: "batch_failed" | "corrupt" | "database_unavailable" | "disk_full" | "empty" | "encrypted" | "internal" | "not_a_pdf" | "object_corrupt" | "object_missing" | "out_of_memory" | "storage_unavailable" | "timeout" | "too_large" | "too_many_pages" | "worker_crashed" | null;
  error_message: string | null;
  page_count: number | null;
  title: string | null;
  truncated: boolean;
  pages_read: number | null;
  characters: number | null;
  notices: readonly (Notice)[];
  sha256: string;
  created_at: string;
  updated_at: string;
  started_at: string | null;
  duration_ms: number | null;
  links: Links;
  matches?: readonly (Match)[];
}

/**
 * Where a file's contents are, relative to the notifier's address, which ends in a slash; null where there is nothing yet.
 */
export interface Links {
  original: string | null;
  text: string | null;
  thumbnail: string | null;
}

/**
 * Where a file's text holds what was looked for. `hits` are stretches of the snippet, which is plain text: from its first
 * character to the one after its last, counted in code points from 0.
 */
export interface Match {
  page: number;
  snippet: string;
  hits: readonly (readonly [number, number])[];
}

/**
 * Something that a reader of a processed file's text has to know; `message` is a sentence that says what to do.
 *
 * `count` is of pages, attachments or characters, as the code has it; `names` are the first ones.
 */
export interface Notice {
  code: "attachments" | "no_text" | "no_thumbnail" | "pages_without_text" | "truncated" | "unmapped_text" | "unreadable_pages" | "xfa";
  message: string;
  count: number | null;
  names: readonly (string)[];
}

/**
 * A question for PONG.
 */
export interface Ping {
  type: "PING";
}

/**
 * The answer to PING.
 */
export interface Pong {
  type: "PONG";
}

/**
 * A file that was not accepted, with the reason and what to do.
 */
export interface RejectedFile {
  filename: string;
  code: string;
  message: string;
}

/**
 * The 202 of a command to a request: at least one batch took it. Batches that it is not about are left out.
 */
export interface RequestCommandAccepted {
  request_id: string;
  batches: readonly (BatchAnswer)[];
}

/**
 * An upload: all its batches as one. `bytes` are those of its files, `pages` those of the processed ones.
 *
 * `files_per_second` is that of the last 20 s while it works, and of all its time once it has ended. `eta_seconds` at this pace.
 */
export interface RequestView {
  request_id: string;
  collection_id: string;
  name: string;
  status: "cancelled" | "completed" | "completed_with_errors" | "failed" | "processing" | "queued";
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  batches: BatchCounts;
  files: FileCounts;
  bytes: number;
  pages: number;
  files_per_second: number | null;
  eta_seconds: number | null;
}

/**
 * Active batches of the collection, the oldest first, without their files; at most 500. `total`: how many are active.
 * `GET /api/collections/{id}/snapshot?cursor=` takes `next_cursor` and answers the rest; null: there is none.
 */
export interface Snapshot {
  batches: readonly (BatchView)[];
  total?: number;
  next_cursor?: string | null;
}

/**
 * Without `after`: a snapshot, then what follows. With it: every message after that seq, of `epoch` (None: the live one).
 */
export interface Subscribe {
  type: "SUBSCRIBE";
  collection_id: string;
  after?: number | null;
  epoch?: string | null;
}

/**
 * Messages follow after `seq`. `more`: these 500 batches go on in another SUBSCRIBED frame of the same seq.
 */
export interface Subscribed {
  type: "SUBSCRIBED";
  collection_id: string;
  epoch: string;
  seq: number;
  recovered: boolean;
  snapshot?: Snapshot;
  more?: boolean;
}

/**
 * No further messages of the collection.
 */
export interface Unsubscribe {
  type: "UNSUBSCRIBE";
  collection_id: string;
}

/**
 * No message of the collection follows, until it is subscribed to again.
 */
export interface Unsubscribed {
  type: "UNSUBSCRIBED";
  collection_id: string;
}

/**
 * What one upload may be: anything above is refused. The name of a file is shortened to so many bytes of UTF-8.
 */
export interface UploadLimits {
  max_file_bytes: number;
  max_request_bytes: number;
  max_files: number;
  max_filename_bytes: number;
}

export type AnyFeedMessage = BatchCreatedMessage | BatchStartedMessage | BatchProgressMessage | FileMessage | BatchCompletedMessage | BatchFailedMessage | BatchCancelledMessage | BatchRetryMessage;

export type Message = Subscribed | Unsubscribed | Authenticated | Pong | Error | BatchCreatedMessage | BatchStartedMessage | BatchProgressMessage | FileMessage | BatchCompletedMessage | BatchFailedMessage | BatchCancelledMessage | BatchRetryMessage;
