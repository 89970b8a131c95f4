"""Writing files so that a power cut leaves the old or the new one, never a part."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `content`: temporary file, fsync, rename, fsync of the folder."""
    with _complete(path, content, mode) as temporary:
        os.replace(temporary, path)


def make(path: Path, content: bytes, mode: int = 0o600) -> bytes:
    """Make `path` of `content` unless it is there already, and return what is in it.

    Of several that make it at once, threads or processes, all return what the first one wrote.
    """
    if not path.exists():
        with suppress(FileExistsError), _complete(path, content, mode) as temporary:
            os.link(temporary, path)
    return path.read_bytes()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (a rename is not until then)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _complete(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """Yield a file beside `path` that is on the disk as a whole, to be given its name; gone at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
