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
 * The token of the socket if QUIRE_AUTH is jwt. It is the first message; a newer token follows before this one expires.
 */
export interface Authenticate {
  type: "AUTHENTICATE";
  token: string;
}

/**
 * The token was accepted. At `expires_at` the socket is closed with code 3500 unless a newer token is sent before.
 */
export interface Authenticated {
  type: "AUTHENTICATED";
  expires_at: string | null;
}

/**
 * The answer of one batch to a command to its request: 202, or the status and code of a problem.
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
 * The batch ended, and at least one file is processed. `duration_ms` counts from the first start of this generation.
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
 * Numbers of a request's batches. They include all batches as soon as the upload has been answered.
 */
export interface BatchCounts {
  total: number;
  ended: number;
}

/**
 * A batch was accepted and waits for a processor. It has a `request_name` if its upload has a name.
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
 * The batch failed as a whole; the counts tell how its files ended.
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
 * Progress of a run. With stage `released`, the run was handed over and the batch is queued again. `waiting_for` names
 * the services that the run cannot reach.
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
 * The files `file_ids` are queued again, in a new `generation` of the batch.
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
 * A batch. It has `files` only in the answer for one batch, and `in_flight` only there and in a snapshot.
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
 * A collection that has ever had a batch. `active` is the number of batches that have not ended; `files` counts files by
 * status.
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
 * Settings that a client needs first. An empty `ingest_url` stands for the notifier's own origin. `auth` is none or jwt.
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
 * What was wrong with a client message, and what to do. It has a `collection_id` if the message was about a collection.
 */
export interface Error {
  type: "ERROR";
  code: string;
  message: string;
  collection_id?: string;
}

/**
 * The files of a request or a collection that failed for one reason. `message` is the sentence that most of them have.
 * `retriable` counts the files in batches that have ended. For a collection, `request_ids` names the uploads with such files,
 * 100 at most.
 */
export interface FailureView {
  code: "batch_failed" | "corrupt" | "database_unavailable" | "disk_full" | "empty" | "encrypted" | "internal" | "not_a_pdf" | "object_corrupt" | "object_missing" | "out_of_memory" | "storage_unavailable" | "timeout" | "too_large" | "too_many_pages" | "worker_crashed";
  count: number;
  retriable: number;
  message: string;
  request_ids?: readonly (string)[];
}

/**
 * Numbers of files by status; `total` is their sum.
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
 * A file was settled, `duration_ms` after work on it began. A later message about the same file supersedes this one.
 * `notices` tell what of the file is not in its text.
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
 * A file that is being worked on since `started_at`. While its text is extracted, `page` of `pages` tells the progress.
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
 * A file. `file_size` is in bytes; `upload_progress` is the percentage of bytes known to be in object storage. `position`
 * is the file's place in the batch, from 0; `path` is its path in the folder that was uploaded.
 *
 * `characters` counts the text of the `pages_read` pages; `notices` tell what of the file is not in that text. `started_at` is
 * when work on the file began, `duration_ms` how long it took; both are null where that is not known, or not yet.
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
 * Links to a file's contents, relative to the notifier's address, which ends in a slash; null where no content is yet.
 */
export interface Links {
  original: string | null;
  text: string | null;
  thumbnail: string | null;
}

/**
 * A place in a file's text that matches the search. `snippet` is plain text. Each of `hits` is a range of it: the index of
 * its first character and the index after its last, in code points from 0.
 */
export interface Match {
  page: number;
  snippet: string;
  hits: readonly (readonly [number, number])[];
}

/**
 * Something that a reader of a processed file's text has to know; `message` is a sentence that says what to do.
 *
 * `count` is a number of pages, attachments or characters, depending on the code; `names` are the first names among them.
 */
export interface Notice {
  code: "attachments" | "no_text" | "no_thumbnail" | "pages_without_text" | "truncated" | "unmapped_text" | "unreadable_pages" | "xfa";
  message: string;
  count: number | null;
  names: readonly (string)[];
}

/**
 * Asks for a PONG.
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
 * The 202 of a command to a request: at least one batch accepted it. Batches that it does not concern are left out.
 */
export interface RequestCommandAccepted {
  request_id: string;
  batches: readonly (BatchAnswer)[];
}

/**
 * An upload: all its batches as one. `bytes` is the size of its files, `pages` the number of pages of the processed files.
 *
 * `files_per_second` is the rate of the last 20 s while the upload is processed, and of its whole duration once it has ended.
 * `eta_seconds` is the time left at this rate.
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
 * Active batches of the collection, the oldest first, without their files; at most 500. `total` is the number of active
 * batches. If there are more, `GET /api/collections/{id}/snapshot?cursor=` takes `next_cursor` and answers them; else
 * `next_cursor` is null.
 */
export interface Snapshot {
  batches: readonly (BatchView)[];
  total?: number;
  next_cursor?: string | null;
}

/**
 * Asks for a collection's messages. Without `after`, a snapshot comes first, then the messages after it. With `after`,
 * every message after that seq of `epoch` comes; null is the current epoch.
 */
export interface Subscribe {
  type: "SUBSCRIBE";
  collection_id: string;
  after?: number | null;
  epoch?: string | null;
}

/**
 * The subscription has begun: messages after `seq` follow. With `more`, the list of batches continues in another SUBSCRIBED
 * frame with the same seq.
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
 * Ends the subscription to a collection.
 */
export interface Unsubscribe {
  type: "UNSUBSCRIBE";
  collection_id: string;
}

/**
 * The subscription has ended: no message of the collection follows until the client subscribes again.
 */
export interface Unsubscribed {
  type: "UNSUBSCRIBED";
  collection_id: string;
}

/**
 * Limits of one upload: a larger one is refused. The name of a file is shortened to `max_filename_bytes` of UTF-8.
 */
export interface UploadLimits {
  max_file_bytes: number;
  max_request_bytes: number;
  max_files: number;
  max_filename_bytes: number;
}

export type AnyFeedMessage = BatchCreatedMessage | BatchStartedMessage | BatchProgressMessage | FileMessage | BatchCompletedMessage | BatchFailedMessage | BatchCancelledMessage | BatchRetryMessage;

export type Message = Subscribed | Unsubscribed | Authenticated | Pong | Error | BatchCreatedMessage | BatchStartedMessage | BatchProgressMessage | FileMessage | BatchCompletedMessage | BatchFailedMessage | BatchCancelledMessage | BatchRetryMessage;
