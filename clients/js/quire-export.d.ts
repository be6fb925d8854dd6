import type { FileView, Notice } from "./contract";

/** What is exported: all of an upload, a batch or a collection, or files by their ids, 500 at most. */
export type ExportOf =
  | { request_id: string }
  | { batch_id: string }
  | { collection_id: string }
  | { file_id: string | readonly string[] };

export interface ExportOptions {
  token?: string | (() => string | Promise<string>);
  /** Milliseconds without anything new after which it is given up; a minute by default. */
  patience?: number;
  signal?: AbortSignal;
}

/** A file with its text. Where that is gone from the object store, `pages` is null, and `error` says so. */
export interface ExportedText {
  file_id: string;
  filename: string;
  path: string | null;
  batch_id: string;
  page_count: number | null;
  notices: readonly Notice[];
  pages: readonly { page: number; text: string; missing?: string }[] | null;
  error?: "object_missing";
  cursor: string;
}

/** Every field of a file. */
export type ExportedReport = FileView & { cursor: string };

/** The server's answer was no: trying again does not help. */
export class Refused extends Error {
  readonly status: number;
  /** Quire's own; null where something in front of it answered. */
  readonly code: string | null;
}

/** Each file once, in the order of the upload, through lost connections. Throws Refused, and what went wrong last. */
export function exported(url: string, of: ExportOf, options: ExportOptions & { kind: "report" }): AsyncGenerator<ExportedReport>;
export function exported(url: string, of: ExportOf, options?: ExportOptions & { kind?: "text" }): AsyncGenerator<ExportedText>;

/**
 * The bytes of a ZIP archive as they come. One that was cut is none: the stream ends with an error, unless a proxy closes it as if it were whole.
 * Throws as `exported`.
 */
export function archived(
  url: string,
  of: ExportOf,
  options?: ExportOptions & { kind?: "text" | "original" | "report" },
): Promise<ReadableStream<Uint8Array>>;
