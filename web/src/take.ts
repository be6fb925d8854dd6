// Results out: fresh links, the text as a file, many files as the server streams them.

import type { FileView } from "@quire/client/contract";
import { say } from "./announce";
import { headers, refused, said } from "./api/http";
import { file as askFile, type Export, exported, linked } from "./api/server";
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

const AT_ONCE = 150; // ids in one address: what stands in front of Quire may take no more than 8 KB of it
const BETWEEN_MS = 500;

/** These files as one download, or as several where they are many. */
export async function takeOutFiles(files: readonly FileView[], form: Pick<Export, "kind" | "format">): Promise<void> {
  const ids = files.map((file) => file.file_id);
  if (ids.length > AT_ONCE) say(TEXT.table.parts(Math.ceil(ids.length / AT_ONCE)));
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    if (at) await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
    await takeOut({ ...form, of: { file_id: ids.slice(at, at + AT_ONCE).join() } });
  }
}
