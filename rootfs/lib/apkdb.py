"""Read the database of installed packages that apk keeps in a root file system.

The format ("v2"): one block a package, a letter and a colon before each value; F names a directory, R
a file in it, M and a their owner and mode, Z the file's hash.
"""

import base64
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

#: Where the database is, below the root.
INSTALLED = "lib/apk/db/installed", "usr/lib/apk/db/installed"


@dataclass(slots=True)
class Entry:
    """A file or directory of a package, its path relative to the root."""

    path: str
    uid: int = 0
    gid: int = 0
    mode: int = 0o755
    digest: str = ""  # "Q1" and the SHA-1 in base 64; of a link, that of its target

    def intact(self, root: Path) -> bool:
        """Say whether the file below `root` is the one that was packaged."""
        path = root / self.path
        if path.is_symlink():
            data = os.readlink(path).encode()
        elif path.is_file():
            data = path.read_bytes()
        else:
            return False
        return self.digest in ("", "Q1" + base64.b64encode(hashlib.sha1(data).digest()).decode())


@dataclass(slots=True)
class Package:
    """An installed package; `fields` are its one-letter fields, `triggers` the paths it watches."""

    name: str = ""
    version: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    directories: list[Entry] = field(default_factory=list)
    files: list[Entry] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)


def read(root: Path) -> list[Package]:
    """Return the packages installed in a root, in the database's order."""
    database = next(root / place for place in INSTALLED if (root / place).is_file())
    packages = []
    for block in database.read_text().strip().split("\n\n"):
        package = Package()
        for line in block.splitlines():
            _read_line(package, line[0], line[2:])
        package.name, package.version = package.fields["P"], package.fields["V"]
        packages.append(package)
    watched = dict(
        line.split(maxsplit=1) for line in (database.parent / "triggers").read_text().splitlines() if " " in line
    )
    for package in packages:
        package.triggers = watched.get(package.fields.get("C", ""), "").split()
    return packages


def _read_line(package: Package, letter: str, value: str) -> None:
    if letter == "F":
        package.directories.append(Entry(value))
    elif letter == "R":
        folder = package.directories[-1].path
        package.files.append(Entry(f"{folder}/{value}" if folder else value, mode=0o644))
    elif letter in "Ma":
        entry = package.directories[-1] if letter == "M" else package.files[-1]
        uid, gid, mode = value.split(":")[:3]
        entry.uid, entry.gid, entry.mode = int(uid), int(gid), int(mode, 8)
    elif letter == "Z":
        package.files[-1].digest = value
    else:
        package.fields[letter] = value
