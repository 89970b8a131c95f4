"""The partition table of the image, read from rootfs/partitions.

The standard library only: build stages, the tests and the virtual machine's tools use it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "partitions"
#: Bytes in a sector and in a MiB. Every partition starts at a whole MiB, the first at 1.
SECTOR, MIB = 512, 1 << 20


@dataclass(frozen=True, slots=True)
class Partition:
    """One row: `number` counts from 1; `start` and `size` are bytes; `content` is raw, squashfs, vfat or ext4."""

    number: int
    name: str
    type: str
    guid: str
    start: int
    size: int
    content: str
    label: str
    id: str

    @property
    def sector(self) -> int:
        """Return the first sector."""
        return self.start // SECTOR


class Table:
    """The whole table: `table["data"]` is a partition, iterating gives all in order."""

    def __init__(self, file: Path = FILE):
        self.guid = ""
        self._rows: dict[str, Partition] = {}
        start = MIB
        for line in file.read_text().splitlines():
            words = line.split("#")[0].split()
            if not words:
                continue
            name, kind, guid, mib, content, label, ident = words
            if name == "disk":
                self.guid = guid
                continue
            size = int(mib) * MIB
            self._rows[name] = Partition(len(self._rows) + 1, name, kind, guid, start, size, content, label, ident)
            start += size
        #: Bytes of the whole disk: one MiB more than the partitions, for the second copy of the table.
        self.disk_size = start + MIB

    def __getitem__(self, name: str) -> Partition:
        return self._rows[name]

    def __iter__(self) -> Iterator[Partition]:
        return iter(self._rows.values())

    def sfdisk(self) -> str:
        """Return the script that makes this table with sfdisk."""
        lines = ["label: gpt", f"label-id: {self.guid}", "unit: sectors", "first-lba: 2048"]
        lines += [
            f"start={part.sector}, size={part.size // SECTOR}, type={part.type}, uuid={part.guid}, name={part.name}"
            for part in self
        ]
        return "\n".join(lines) + "\n"
