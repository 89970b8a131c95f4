"""What Python stages need: talk to the person who waits, run commands, read the environment.

The standard library only: it runs before anything is installed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

SRC = Path(os.environ.get("SRC", Path(__file__).resolve().parents[2]))
OUT = Path(os.environ.get("OUT", "."))
STAGES = Path(os.environ.get("STAGES", SRC / "build/stages"))
BUILD = Path(os.environ.get("BUILD", SRC / "build"))
CACHE = Path(os.environ.get("CACHE", SRC / "build/cache"))
TMPDIR = Path(os.environ.get("TMPDIR", "/tmp"))
ARCH = os.environ.get("ARCH", "x86_64")
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


def _terminal():
    """Return the stream that reaches the person: mkimage.sh opens it as descriptor 3."""
    try:
        return os.fdopen(os.dup(3), "w", buffering=1)
    except OSError:
        return sys.stderr


_TERMINAL = _terminal()


def progress(text: str) -> None:
    """Say what the stage is doing at the moment."""
    print(f"    {text}", file=_TERMINAL, flush=True)
    print(f"== {text}", flush=True)


def die(text: str, hint: str = "") -> NoReturn:
    """End the stage with an error and a hint about what to do."""
    print(f"ERROR {text}", file=_TERMINAL)
    if hint:
        print(f"      {hint}", file=_TERMINAL)
    if "TMPDIR" in os.environ and TMPDIR.is_dir():
        (TMPDIR / ".explained").touch()  # tells the driver that the reason has been given
    sys.exit(1)


def run(*command: object, quiet: bool = False, **options) -> str:
    """Run a command, log it and its output, and return what it printed.

    Raise CommandError if it fails, with its output.
    """
    words = [os.fspath(word) if isinstance(word, Path) else str(word) for word in command]
    if not quiet:
        print("+", *words, flush=True)
    options.setdefault("stdin", subprocess.DEVNULL)
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(words, text=True, errors="replace", **options)
    if done.stdout and not quiet:
        print(done.stdout, end="", flush=True)
    if done.returncode:
        raise CommandError(words, done.returncode, done.stdout)
    return done.stdout


class CommandError(Exception):
    """A command failed; `output` is what it printed."""

    def __init__(self, words: list[str], status: int, output: str):
        super().__init__(f"{' '.join(words)} ended with {status}: {output[-2000:].strip()}")
        self.status = status
        self.output = output


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_tree(source: Path, target: Path) -> None:
    """Copy a tree with owners, modes, times and links, sharing blocks where the file system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    run("cp", "-a", "--reflink=auto", source, target, quiet=True)


def in_root(root: Path, *command: object, binds: dict[Path, str] | None = None) -> str:
    """Run a command in a root file system, in a mount namespace of its own.

    `binds` are directories of the host that the command sees at a place in the root, which must be an
    empty directory there. Nothing stays mounted, whatever happens.
    """
    mounts = "".join(f"mount --bind '{source}' '{root}{place}' && " for source, place in (binds or {}).items())
    script = f'{mounts}mount --bind /dev "{root}/dev" && exec chroot "{root}" "$@"'
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "SOURCE_DATE_EPOCH": str(EPOCH)}
    return run("unshare", "-m", "sh", "-c", script, "sh", *command, env={**environment, "PATH": os.environ["PATH"]})


def set_times(tree: Path, when: int) -> None:
    """Give everything in a tree one modification time."""
    for folder, names, files in os.walk(tree, topdown=False):
        for name in names + files:
            os.utime(os.path.join(folder, name), (when, when), follow_symlinks=False)
    os.utime(tree, (when, when))
