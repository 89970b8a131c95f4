"""Write cpio archives in the form that the kernel unpacks as its initramfs ("newc").

Own code because the same input must give the same bits: no inode numbers, owners or times of
the build machine get in. The format is described in the kernel's buffer-format.rst.
"""

import stat
from pathlib import Path


def pack(tree: Path) -> bytes:
    """Return the archive of a directory: files, directories and symbolic links, in sorted order."""
    entries = sorted(tree.rglob("*"), key=lambda path: path.relative_to(tree).as_posix())
    parts = [_entry(path, path.relative_to(tree).as_posix(), number) for number, path in enumerate(entries, 1)]
    parts.append(_header("TRAILER!!!", 0, 0, 0))
    return b"".join(parts)


def _entry(path: Path, name: str, number: int) -> bytes:
    if path.is_symlink():
        mode, content = stat.S_IFLNK | 0o777, str(path.readlink()).encode()
    elif path.is_dir():
        mode, content = stat.S_IFDIR | 0o755, b""
    else:
        mode, content = stat.S_IFREG | (0o755 if path.stat().st_mode & 0o100 else 0o644), path.read_bytes()
    return _header(name, number, mode, len(content)) + _padded(content)


def _header(name: str, number: int, mode: int, size: int) -> bytes:
    # inode, mode, uid, gid, links, mtime, size, device (2), special device (2), name size, check
    fields = (number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name.encode()) + 1, 0)
    return _padded(b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0")


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
