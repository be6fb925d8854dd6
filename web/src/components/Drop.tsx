// Where files come from: the whole window as a drop target, the bar with its choosers, the samples.

import { Menu, MenuItem, MenuRadioGroup } from "@szhsin/react-menu";
import { type ReactNode, type RefObject, useEffect, useRef, useState } from "react";
import { ROOT } from "../address";
import { say } from "../announce";
import { limits } from "../api/server";
import { possible, wish, wished } from "../notify";
import { choosePolicy, type Policy, policy } from "../options";
import { type Gathered, ofDrop, ofInput } from "../sending/gather";
import { begin } from "../sending/uploads";
import { useStore } from "../state/store";
import { TEXT } from "../texts";
import { Icon } from "./Icon";

export const send = (gathered: Promise<Gathered>, collection: string) => void begin(gathered, collection, policy.get());

/** A drop anywhere is an upload; never does the browser open the file instead. */
export function DropTarget({ collection }: { collection: string }) {
  const [over, set] = useState(false);
  useEffect(() => {
    let depth = 0;
    const carries = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent) => {
      if (carries(event)) set(++depth > 0);
    };
    const leave = (event: DragEvent) => {
      if (carries(event)) set(--depth > 0);
    };
    const hover = (event: DragEvent) => {
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = carries(event) ? "copy" : "none";
    };
    const drop = (event: DragEvent) => {
      event.preventDefault();
      depth = 0;
      set(false);
      if (event.dataTransfer && carries(event)) send(ofDrop(event.dataTransfer), collection);
    };
    const all = { dragenter: enter, dragleave: leave, dragover: hover, drop } as const;
    for (const [name, listener] of Object.entries(all)) addEventListener(name as "drop", listener);
    return () => {
      for (const [name, listener] of Object.entries(all)) removeEventListener(name as "drop", listener);
    };
  }, [collection]);
  if (!over) return null;
  return (
    <div className="overlay" aria-hidden="true">
      <div>
        <Icon name="upload" size={40} />
        <strong>{TEXT.drop.overlay}</strong>
        <span>{TEXT.drop.overlayHint(collection)}</span>
      </div>
    </div>
  );
}

interface Choosers {
  readonly files: RefObject<HTMLInputElement>;
  readonly folder: RefObject<HTMLInputElement>;
  readonly inputs: ReactNode;
}

/** The two hidden inputs, and the refs that open them. */
export function useChoosers(collection: string): Choosers {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const chosen = (input: HTMLInputElement) => {
    if (input.files?.length) send(Promise.resolve(ofInput(input.files)), collection);
    input.value = "";
  };
  const inputs = (
    <>
      <input
        ref={files}
        id="choose-files"
        type="file"
        hidden
        multiple
        accept="application/pdf,.pdf"
        onChange={({ target }) => chosen(target)}
      />
      <input
        ref={folder}
        id="choose-folder"
        type="file"
        hidden
        multiple
        {...{ webkitdirectory: "" }}
        onChange={({ target }) => chosen(target)}
      />
    </>
  );
  return { files, folder, inputs };
}

export function DropBar({ files, folder }: Choosers) {
  return (
    <section className="drop" aria-label={TEXT.drop.title}>
      <Icon name="upload" size={22} />
      <p>
        <b>{TEXT.drop.title}</b>
        <span className="wide-only"> — {TEXT.drop.hint(limits()?.max_files ?? 0)}</span>
      </p>
      <div className="drop-actions">
        <Options />
        <button type="button" className="btn" onClick={() => folder.current?.click()}>
          {TEXT.drop.folder}
        </button>
        <button type="button" className="btn primary" aria-keyshortcuts="u" onClick={() => files.current?.click()}>
          {TEXT.drop.choose}
        </button>
      </div>
    </section>
  );
}

export function Options() {
  const chosen = useStore(policy);
  const [told, tell] = useState(wished());
  return (
    <Menu
      className="menu"
      gap={4}
      menuButton={
        <button type="button" className="btn">
          {TEXT.drop.options}
          <Icon name="down" size={16} />
        </button>
      }
    >
      <li className="menu-label" role="presentation">
        {TEXT.drop.policy}
      </li>
      <MenuRadioGroup value={chosen} onRadioChange={({ value }) => choosePolicy(value as Policy)}>
        <MenuItem type="radio" value="isolate">
          {TEXT.drop.isolate}
        </MenuItem>
        <MenuItem type="radio" value="all_or_nothing">
          {TEXT.drop.together}
        </MenuItem>
      </MenuRadioGroup>
      {possible && (
        <MenuItem type="checkbox" checked={told} onClick={() => void ask(!told).then(tell)}>
          {TEXT.drop.notify}
        </MenuItem>
      )}
    </Menu>
  );
}

/** What became of a wish to be told; that the browser refuses is said. */
async function ask(yes: boolean): Promise<boolean> {
  const allowed = await wish(yes);
  if (yes && !allowed) say(TEXT.drop.notifyRefused, true);
  return allowed;
}

/** The samples that come with the page, fetched and then sent as if they had been chosen. */
export async function sendSamples(collection: string): Promise<void> {
  try {
    const names: string[] = await (await fetch(new URL("samples/list.json", ROOT))).json();
    send(
      Promise.all(names.map(sample)).then((chosen) => ({ chosen, handles: [] })),
      collection,
    );
  } catch {
    say(TEXT.unreachable, true);
  }
}

async function sample(name: string) {
  const answer = await fetch(new URL(`samples/${encodeURIComponent(name)}`, ROOT));
  return { file: new File([await answer.blob()], name, { type: "application/pdf" }), path: `samples/${name}` };
}
