// Every sentence that the page's scripts say.

export const STATUS = {
  queued: "waiting",
  processing: "being processed",
  processed: "processed",
  failed: "failed",
  cancelled: "cancelled",
  completed: "completed",
  completed_with_errors: "completed, with failed files",
};

/** What happened, and what to do about it, by the code of a failed file. */
export const CODE = {
  encrypted: "It is protected by a password or a certificate. Remove the protection and upload it again.",
  corrupt: "It is damaged beyond reading. Make the PDF again and upload that.",
  not_a_pdf: "It is not a PDF.",
  empty: "It is empty.",
  too_large: "It is too large.",
  too_many_pages: "It has too many pages. Split it and upload the parts.",
  timeout: "It took too long. Split it, or make a simpler PDF of it.",
  out_of_memory: "It needs too much memory. Split it, or make a simpler PDF of it.",
  worker_crashed: "Reading it crashed, twice. Make the PDF again and upload that.",
  object_missing: "The stored original is gone. Upload it again.",
  object_corrupt: "The stored original is damaged. Upload it again.",
  storage_unavailable: "The storage was away for too long. Retry the batch.",
  database_unavailable: "The database was away for too long. Retry the batch.",
  disk_full: "The disk was full. Retry the batch later.",
  batch_failed: "Another file of its batch failed, and the batch was to fail as a whole.",
  internal: "Something went wrong here, not with the file. Retry the batch.",
};

export const STAGE = {
  started: "started",
  heartbeat: "working",
  database_insert_complete: "text stored",
  cloud_upload_complete: "all uploaded",
  released: "handed over",
};

export const TEXT = {
  live: "Live",
  catchingUp: "Catching up…",
  lost: "The connection is lost. Trying again…",
  refused: (why) => `The connection was refused: ${why}.`,
  needsToken: "This Quire asks for a token.",
  count: (done, total) => `${done} of ${total} done`,
  now: (name, page, pages) => (pages ? `${name}, page ${page} of ${pages}` : name),
  seen: (seconds) => (seconds < 3 ? "just now" : `${seconds} s ago`),
  rest: (seconds) => (seconds < 60 ? `about ${Math.ceil(seconds)} s left` : `about ${Math.ceil(seconds / 60)} min left`),
  attempt: (number) => (number > 1 ? `attempt ${number}` : ""),
  failedFiles: (count) => (count ? `${count} failed` : ""),
  uploading: (sent, total, speed) => `Uploading: ${sent} of ${total}, ${speed}/s`,
  accepted: (count, batches) => `${count} ${count === 1 ? "file" : "files"} accepted, in ${batches} ${batches === 1 ? "batch" : "batches"}.`,
  storing: "Everything is sent; waiting for the answer…",
  uploadBroke: "The connection broke off. Nothing is doubled if you try again.",
  uploadStopped: "Stopped.",
  tryAgain: "Try again",
  upload: "Upload",
  stop: "Stop the upload",
  cancel: "Cancel",
  retry: "Retry",
  cancelNamed: (id) => `Cancel batch ${id}`,
  retryNamed: (id) => `Retry the failed files of batch ${id}`,
  open: "Show its files",
  tooMany: (files, most) => `These are ${files} files, an upload takes ${most}. Send them in several uploads. Nothing was sent.`,
  tooMuch: (size, most) => `These are ${size}, an upload takes ${most}. Send the files in several uploads. Nothing was sent.`,
  noPdf: "It does not look like a PDF, and was not sent.",
  nothing: "No files here yet.",
  restOf: (shown, total) => `The oldest ${shown} of ${total}.`,
  noActive: "Nothing is being processed.",
  waiting: "waiting for a processor",
  silent: "No sign of life for a while. If it stays so, it is taken over by itself.",
  text: "text",
  original: "original",
};

export const EVENT = {
  BATCH_CREATED: (m) => `accepted: ${m.files.length} files`,
  BATCH_PROCESSING_STARTED: (m) => `processing begins, attempt ${m.attempt}`,
  BATCH_PROCESSING_PROGRESS: (m) => `${STAGE[m.stage] ?? m.stage}: ${m.processed} processed, ${m.failed} failed of ${m.total}`,
  FILES_PROCESSED: (m) => `${m.filename}: ${STATUS[m.status]}${m.error_code ? ` (${m.error_code})` : ""}`,
  BATCH_PROCESSING_COMPLETED: (m) => `${STATUS[m.status]} in ${(m.duration_ms / 1000).toFixed(1)} s`,
  BATCH_PROCESSING_FAILED: (m) => `failed: ${m.message}`,
  BATCH_PROCESSING_CANCELLED: (m) => `cancelled${m.reason ? `: ${m.reason}` : ""}`,
  BATCH_RETRY_REQUESTED: (m) => `to be processed again: ${m.file_ids.length} files`,
};
