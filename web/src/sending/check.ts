// Which of the chosen files can be sent: what ingest would refuse is said before anything travels.

import type { UploadLimits } from "@quire/client/contract";
import { bytes } from "../state/format";
import { TEXT } from "../texts";
import type { Chosen } from "./gather";

export interface Rejected {
  readonly filename: string;
  readonly message: string;
}

export interface Checked {
  readonly good: readonly Chosen[];
  readonly rejected: readonly Rejected[];
  /** Why none of them can be sent. */
  readonly beyond: string | null;
}

const HEAD_BYTES = 1024;
const AT_ONCE = 24;

/** Looks into each file, a few at a time, so that the page never stands still. */
export async function check(chosen: readonly Chosen[], limits: UploadLimits): Promise<Checked> {
  const good: Chosen[] = [];
  const rejected: Rejected[] = [];
  for (let at = 0; at < chosen.length; at += AT_ONCE) {
    const some = chosen.slice(at, at + AT_ONCE);
    const faults = await Promise.all(some.map(({ file }) => fault(file, limits)));
    some.forEach((each, place) => {
      const message = faults[place];
      if (message) rejected.push({ filename: each.path, message });
      else good.push(each);
    });
    await new Promise((resolve) => setTimeout(resolve));
  }
  return { good, rejected, beyond: beyond(good, limits) };
}

async function fault(file: File, limits: UploadLimits): Promise<string | null> {
  if (!file.size) return TEXT.sending.emptyFile;
  if (file.size > limits.max_file_bytes) return TEXT.sending.tooLarge(bytes(file.size), bytes(limits.max_file_bytes));
  const head = await file
    .slice(0, HEAD_BYTES)
    .arrayBuffer()
    .catch(() => null);
  if (!head) return TEXT.sending.unreadable;
  const looks = /%PDF[^A-Za-z]|\b\d{1,7}\s+\d{1,5}\s+obj\b/.test(new TextDecoder("latin1").decode(head)); // as ingest
  return looks ? null : TEXT.sending.noPdf;
}

function beyond(good: readonly Chosen[], limits: UploadLimits): string | null {
  if (!good.length) return TEXT.sending.nothing;
  if (good.length > limits.max_files) return TEXT.sending.tooMany(good.length, limits.max_files);
  const total = size(good);
  return total > limits.max_request_bytes ? TEXT.sending.tooMuch(bytes(total), bytes(limits.max_request_bytes)) : null;
}

export const size = (chosen: readonly Chosen[]): number => chosen.reduce((sum, { file }) => sum + file.size, 0);

/** Whether they can all be read still. */
export async function readable(chosen: readonly Chosen[]): Promise<boolean> {
  for (let at = 0; at < chosen.length; at += AT_ONCE) {
    const some = chosen.slice(at, at + AT_ONCE);
    const heads = await Promise.all(
      some.map(({ file }) =>
        file
          .slice(0, 1)
          .arrayBuffer()
          .then(
            () => true,
            () => false,
          ),
      ),
    );
    if (heads.includes(false)) return false;
  }
  return true;
}
