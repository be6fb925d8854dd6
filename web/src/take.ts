// Results out: fresh links, the text as a file, many files as one archive.

import type { FileView } from "@quire/client/contract";
import { downloadZip } from "client-zip";
import { say } from "./announce";
import { headers, refused, said } from "./api/http";
import { file as askFile, type Export, exported, linked } from "./api/server";
import { Store } from "./state/store";
import { TEXT } from "./texts";

export type Kind = "original" | "text";

/** Many files as the server streams them: the browser saves what comes. */
export async function takeOut(what: Export): Promise<void> {
  try {
    saveAs(await exported(what), "");
  } catch (error) {
    say(said(error), true);
  }
}

/** A signed link lives some minutes: it is asked for when it is clicked, and opens elsewhere. */
export async function openOriginal(file: FileView): Promise<void> {
  const tab = open("about:blank", "_blank");
  if (tab) tab.opener = null;
  try {
    const { links } = await askFile(file.file_id);
    const url = linked(links.original ?? "");
    if (tab) tab.location.replace(url);
    else location.assign(url);
  } catch (error) {
    tab?.close();
    say(said(error), true);
  }
}

/** Whether a link can be followed as it is: one that is signed may have expired. */
export const lasting = (link: string | null): string | undefined => (link && !link.includes("?") ? linked(link) : undefined);

async function contents(file: FileView, kind: Kind): Promise<Response> {
  const { links } = await askFile(file.file_id);
  const link = links[kind];
  if (!link) throw new Error("nothing there");
  const answer = await fetch(linked(link), { headers: { ...headers(), Accept: kind === "text" ? "text/plain" : "*/*" } });
  if (!answer.ok) throw await refused(answer);
  return answer;
}

/** An empty name: the server says it. */
function saveAs(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  saveAs(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

const stem = (name: string) => name.replace(/\.pdf$/i, "");

export async function saveText(file: FileView): Promise<void> {
  try {
    save(await (await contents(file, "text")).blob(), `${stem(file.original_filename)}.txt`);
  } catch (error) {
    say(said(error), true);
  }
}

export interface Gathering {
  readonly done: number;
  readonly of: number;
}

/** How far an archive is; null: none is made. */
export const gathering = new Store<Gathering | null>(null);

/** One archive of these files, each under a name of its own; what cannot be fetched is left out, and said. */
export async function saveArchive(files: readonly FileView[], kind: Kind): Promise<void> {
  const wanted = files.filter((file) => file.links[kind]);
  if (!wanted.length) return;
  let lacking = 0;
  let done = 0;
  const names = new Set<string>();
  async function* parts() {
    for (const file of wanted) {
      try {
        yield { name: unique(file, kind, names), input: await contents(file, kind) };
      } catch {
        lacking += 1;
      }
      done += 1;
      gathering.set({ done, of: wanted.length });
    }
  }
  gathering.set({ done: 0, of: wanted.length }, true);
  try {
    save(await downloadZip(parts()).blob(), kind === "text" ? "texts.zip" : "pdfs.zip");
    if (lacking) say(TEXT.table.lacking(lacking), true);
  } catch (error) {
    say(said(error), true);
  } finally {
    gathering.set(null, true);
  }
}

const COLUMNS = [
  "file_id",
  "original_filename",
  "path",
  "batch_id",
  "processing_status",
  "page_count",
  "characters",
  "file_size",
  "error_code",
  "error_message",
  "created_at",
  "sha256",
] as const satisfies readonly (keyof FileView)[];

/** A row a file. A cell that a spreadsheet would compute is led by an apostrophe, as the server does it. */
export function saveReport(files: readonly FileView[]): void {
  const cell = (value: string | number | null) =>
    `"${String(value ?? "")
      .replace(/^[=+\-@\t\r]/, "'$&")
      .replaceAll('"', '""')}"`;
  const rows = files.map((file) => COLUMNS.map((column) => cell(file[column])).join());
  save(new Blob(["\ufeff", [COLUMNS.join(), ...rows, ""].join("\r\n")], { type: "text/csv" }), "report.csv");
}

/** Its folder is kept; of two that are called the same, the second has a number. */
function unique(file: FileView, kind: Kind, names: Set<string>): string {
  const path = (file.path ?? file.original_filename).replace(/(^|\/)\.+(?=\/|$)/g, "$1_");
  const [base, end] = kind === "text" ? [stem(path), ".txt"] : [stem(path), ".pdf"];
  let name = base + end;
  for (let count = 2; names.has(name); count += 1) name = `${base} (${count})${end}`;
  names.add(name);
  return name;
}
