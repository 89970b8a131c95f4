function read(entry: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = entry.createReader();
  const all: FileSystemEntry[] = [];
  return new Promise((resolve, reject) => {
    // The browser hands out a folder in portions; an empty one is the end.
    const more = () =>
      reader.readEntries((part) => {
        if (part.length === 0) resolve(all);
        else {
          all.push(...part);
          more();
        }
      }, reject);
    more();
  });
}

async function collect(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) return [await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))];
  const inside = await read(entry as FileSystemDirectoryEntry);
  return (await Promise.all(inside.map(collect))).flat();
}

/** All files of a drop, those in folders too. */
export async function filesOf(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...transfer.files];
  return (await Promise.all(entries.map(collect))).flat();
}
