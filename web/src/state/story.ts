// The messages of a batch, folded into the lines that a person reads: many signs of life are one line. Pure.

import type { AnyFeedMessage } from "@quire/client/contract";
import { TEXT } from "../texts";
import { duration } from "./format";

export interface Line {
  readonly at: string;
  readonly text: string;
  readonly name?: string;
  readonly bad?: boolean;
}

const E = TEXT.event;

/** What happened to one file of the batch. */
export function storyOf(messages: readonly AnyFeedMessage[], file: string): readonly Line[] {
  const lines: Line[] = [];
  let reading = false;
  for (const message of messages) {
    const { at } = message;
    if (message.type === "BATCH_CREATED") lines.push({ at, text: E.accepted });
    else if (message.type === "BATCH_PROCESSING_STARTED") reading = false;
    else if (message.type === "BATCH_RETRY_REQUESTED" && message.file_ids.includes(file)) lines.push({ at, text: E.again });
    else if (message.type === "FILES_PROCESSED" && message.file_id === file) {
      reading = false;
      lines.push({ at, text: E.file[message.status], bad: message.status === "failed" });
    } else if (message.type === "BATCH_PROCESSING_PROGRESS" && !reading) {
      const position = message.in_flight.find(({ file_id }) => file_id === file);
      reading = position !== undefined;
      if (position) lines.push({ at: position.started_at ?? at, text: E.reading });
    }
  }
  return lines;
}

export function story(messages: readonly AnyFeedMessage[]): readonly Line[] {
  const lines: Line[] = [];
  let life = 0;
  let done = 0;
  let at = "";
  const flush = () => {
    if (done) lines.push({ at, text: TEXT.batch.logDone(done) });
    else if (life) lines.push({ at, text: TEXT.batch.logLife(life) });
    life = done = 0;
  };
  for (const message of messages) {
    if (message.type === "BATCH_PROCESSING_PROGRESS" && message.stage !== "released") life += 1;
    else if (message.type === "FILES_PROCESSED" && message.status === "processed") done += 1;
    else {
      flush();
      lines.push(line(message));
    }
    at = message.at;
  }
  flush();
  return lines;
}

function line(message: AnyFeedMessage): Line {
  const { at } = message;
  switch (message.type) {
    case "BATCH_CREATED":
      return { at, text: E.BATCH_CREATED(message.files.length) };
    case "BATCH_PROCESSING_STARTED":
      return { at, text: E.BATCH_PROCESSING_STARTED(message.attempt) };
    case "BATCH_PROCESSING_PROGRESS":
      return { at, text: E.released };
    case "FILES_PROCESSED":
      return { at, name: message.filename, text: E.file[message.status], bad: message.status === "failed" };
    case "BATCH_PROCESSING_COMPLETED":
      return { at, text: (message.status === "completed" ? E.COMPLETED : E.ERRORS)(duration(message.duration_ms / 1000)) };
    case "BATCH_PROCESSING_FAILED":
      return { at, text: E.FAILED(message.message), bad: true };
    case "BATCH_PROCESSING_CANCELLED":
      return { at, text: E.CANCELLED(message.reason) };
    case "BATCH_RETRY_REQUESTED":
      return { at, text: E.RETRY(message.file_ids.length) };
  }
}
