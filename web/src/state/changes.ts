// What each message of the feed changes in its batch. The compiler asks for a line here for each message there is.

import type { AnyFeedMessage, FileMessage } from "@quire/client/contract";
import type { Batch, Sheet, Standing } from "./fold";

type Changes = Partial<Batch>;
type Table = { [Type in AnyFeedMessage["type"]]: (batch: Batch, message: Extract<AnyFeedMessage, { type: Type }>) => Changes };

export const CHANGES: Table = {
  BATCH_CREATED: (batch, { files, request_id = null, request_name = null }) => ({
    request_id: batch.request_id ?? request_id,
    request_name,
    vague: !(batch.request_id ?? request_id), // a message of an older Quire
    total: files.length,
    sheets: files.map(({ file_id, filename, size }) => ({ file_id, filename, size, standing: "queued" })),
  }),

  BATCH_PROCESSING_STARTED: (batch, { attempt, at }) => ({
    status: "processing",
    attempt,
    stage: null,
    in_flight: [],
    waiting_for: [],
    started_at: batch.started_at ?? at,
    last_seen_at: at,
    ...standings(batch, (each) => (each.standing === "processing" ? "queued" : each.standing)),
  }),

  BATCH_PROCESSING_PROGRESS: (batch, { stage, in_flight, at, processed, failed, total, waiting_for = [] }) => {
    const now = new Set(in_flight.map((position) => position.file_id));
    return {
      ...(stage === "released" ? { status: "queued" as const } : { stage }),
      total,
      ...(batch.sheets ? {} : { processed, failed }), // each is counted: the message may be older than what was asked for
      in_flight,
      waiting_for,
      last_seen_at: at,
      ...standings(batch, ({ file_id, standing }) =>
        isSettled(standing) ? standing : now.has(file_id) ? "processing" : "queued",
      ),
    };
  },

  FILES_PROCESSED: (batch, message) => ({
    ...counted(batch, message),
    ...standings(batch, ({ file_id, standing }) => (file_id === message.file_id ? message.status : standing)),
    in_flight: batch.in_flight.filter((position) => position.file_id !== message.file_id),
    ...(message.status === "cancelled" ? {} : { last_seen_at: message.at }),
  }),

  BATCH_PROCESSING_COMPLETED: (_, message) => ({ ...ended(message), status: message.status, last_seen_at: message.at }),

  BATCH_PROCESSING_FAILED: (_, message) => ({
    ...ended(message),
    status: "failed",
    last_seen_at: message.at,
    error_code: message.code,
    error_message: message.message,
  }),

  BATCH_PROCESSING_CANCELLED: (_, message) => ({ ...ended(message), status: "cancelled" }),

  BATCH_RETRY_REQUESTED: (batch, { file_ids, generation }) => {
    const again = new Set(file_ids);
    return {
      status: "queued",
      generation,
      stage: null,
      in_flight: [],
      waiting_for: [],
      started_at: null,
      ended_at: null,
      last_seen_at: null,
      error_code: null,
      error_message: null,
      ...standings(batch, ({ file_id, standing }) => (again.has(file_id) ? "queued" : standing)),
      ...recounted(batch, again),
    };
  },
};

const isSettled = (standing: Standing) => standing !== "queued" && standing !== "processing";

/** The batch's sheets with other standings; those that do not change stay the same objects. */
function standings({ sheets }: Batch, standing: (sheet: Sheet) => Standing): Pick<Batch, "sheets"> {
  return { sheets: sheets?.map((sheet) => changed(sheet, standing(sheet))) ?? null };
}

const changed = (sheet: Sheet, standing: Standing) => (sheet.standing === standing ? sheet : { ...sheet, standing });

/** A file that is settled counts in one place: a later message about it supersedes the earlier one. */
function counted(batch: Batch, { file_id, status }: FileMessage): Changes {
  const before = batch.sheets?.find((sheet) => sheet.file_id === file_id)?.standing;
  const numbers = { processed: batch.processed, failed: batch.failed, cancelled: batch.cancelled };
  if (before === "processed" || before === "failed" || before === "cancelled") numbers[before] -= 1;
  if (status === "processed" || status === "failed" || status === "cancelled") numbers[status] += 1;
  return numbers;
}

/** The numbers of a batch of which some files wait again. Without its sheets they follow only where all, or all but the processed, do. */
function recounted({ sheets, total, processed, failed, cancelled }: Batch, again: ReadonlySet<string>): Changes {
  if (sheets) {
    const count = (standing: Standing) => sheets.filter((each) => each.standing === standing && !again.has(each.file_id)).length;
    return { processed: count("processed"), failed: count("failed"), cancelled: count("cancelled") };
  }
  if (again.size === total) return { processed: 0, failed: 0, cancelled: 0 };
  if (again.size === failed + cancelled) return { processed, failed: 0, cancelled: 0 };
  return { vague: true };
}

interface End {
  readonly at: string;
  readonly processed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly total: number;
}

const ended = ({ at, processed, failed, cancelled, total }: End): Changes => ({
  ended_at: at,
  in_flight: [],
  waiting_for: [],
  processed,
  failed,
  cancelled,
  total,
});
