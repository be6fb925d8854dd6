// From a drop, or a chooser, to files with the path that each had in its folder.

export interface Chosen {
  readonly file: File;
  /** Relative, its name included. */
  readonly path: string;
}

export interface Gathered {
  readonly chosen: readonly Chosen[];
  /** How the browser finds the same files again after a reload, where it can. */
  readonly handles: readonly FileSystemHandle[];
}

const MOST_HANDLES = 50;

export const ofInput = (files: FileList): Gathered => ({
  chosen: [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name })),
  handles: [],
});

/** To be called within the event: afterwards nothing is there any more. */
export function ofDrop(data: DataTransfer): Promise<Gathered> {
  const items = [...data.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const handles = items.length <= MOST_HANDLES ? items.map((item) => handle(item)) : [];
  const flat = [...data.files];
  return gathered(entries, handles, flat);
}

async function gathered(
  entries: FileSystemEntry[],
  handles: Promise<FileSystemHandle | null>[],
  flat: File[],
): Promise<Gathered> {
  const chosen = entries.length
    ? (await Promise.all(entries.map(within))).flat()
    : flat.map((file) => ({ file, path: file.name }));
  const found = (await Promise.all(handles)).filter((each) => each !== null);
  return { chosen: chosen.sort(byPath), handles: found };
}

const byPath = (a: Chosen, b: Chosen) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);

interface WithHandle {
  getAsFileSystemHandle?: () => Promise<FileSystemHandle | null>;
}

const handle = async (item: DataTransferItem): Promise<FileSystemHandle | null> =>
  (await (item as WithHandle).getAsFileSystemHandle?.().catch(() => null)) ?? null;

/** The files of a file or folder, at any depth; what cannot be read is left out, and missed when the numbers are compared. */
async function within(entry: FileSystemEntry): Promise<Chosen[]> {
  if (isFile(entry)) {
    const file = await new Promise<File | null>((resolve) => entry.file(resolve, () => resolve(null)));
    return file ? [{ file, path: entry.fullPath.slice(1) }] : [];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(within))).flat();
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;

interface Permitted {
  requestPermission?: (how: { mode: "read" }) => Promise<PermissionState>;
  values?: () => AsyncIterable<FileSystemHandle>;
  getFile?: () => Promise<File>;
}

/** The files behind handles that were kept; null where the browser, or the person, does not let them be read. */
export async function ofHandles(handles: readonly FileSystemHandle[]): Promise<Gathered | null> {
  const chosen: Chosen[] = [];
  for (const each of handles) {
    if ((await (each as Permitted).requestPermission?.({ mode: "read" })) !== "granted") return null;
    await under(each, "", chosen);
  }
  return { chosen: chosen.sort(byPath), handles };
}

async function under(each: FileSystemHandle, folder: string, into: Chosen[]): Promise<void> {
  const { getFile, values } = each as Permitted;
  const path = folder + each.name;
  if (each.kind === "file" && getFile) into.push({ file: await getFile.call(each), path });
  else if (values) for await (const child of values.call(each)) await under(child, `${path}/`, into);
}

/** What an upload is called: its folder, or its first file. */
export function nameOf(chosen: readonly Chosen[]): string {
  const tops = new Set(chosen.map(({ path }) => (path.includes("/") ? path.split("/")[0] : null)));
  const [top] = tops;
  if (tops.size === 1 && top) return top;
  const first = chosen[0]?.path.split("/").at(-1) ?? "";
  return chosen.length > 1 ? `${first} and ${chosen.length - 1} more` : first;
}
