"""Get upstream sources from the Debian mirror that this machine is set up with.

apt itself fetches and verifies them, from a list of its own, so that the machine's lists stay as they
are; then the hash in the lock decides.
"""

import re
import shutil
from pathlib import Path

import stage


def download_sources(lock: Path, store: Path, out: Path) -> None:
    """Put the source archives of a lock into `out`.

    Each line of the lock is "PACKAGE FILE SHA256"; the file is the upstream archive, which stays the
    same for the life of a Debian release whatever fixes Debian adds to it.
    """
    wanted = [line.split() for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    store.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True)
    missing = [package for package, file, digest in wanted if not _good(store / file, digest)]
    if missing:
        stage.progress(f"Sources from Debian: {', '.join(missing)}")
        _fetch(missing, store)
    for package, file, digest in wanted:
        if not (store / file).is_file():
            stage.die(
                f"Debian's {package} has no {file} any more",
                "The release of this machine differs from the lock's (Debian 12): see rootfs/lock/debian.txt",
            )
        if not _good(store / file, digest):
            (store / file).unlink()
            stage.die(f"{file} is not the one in rootfs/lock/debian.txt", "Nothing of it was used")
        shutil.copy2(store / file, out / file)


def _fetch(packages: list[str], store: Path) -> None:
    """Let apt download the sources of some packages into a folder."""
    lists = stage.TMPDIR / "apt"
    (lists / "sources.d").mkdir(parents=True)
    (lists / "lists/partial").mkdir(parents=True)
    for file in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        if file.suffix == ".sources":
            text = re.sub(r"(?m)^Types:.*", "Types: deb-src", file.read_text())
        elif file.suffix == ".list" and file.is_file():
            text = re.sub(r"(?m)^deb(?=[ \t])", "deb-src", file.read_text())
        else:
            continue
        (lists / "sources.d" / file.name).write_text(text)
    own = ["-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={lists}/sources.d"]
    own += ["-o", f"Dir::State::Lists={lists}/lists", "-o", f"Dir::Cache={lists}", "-o", "APT::Sandbox::User=root"]
    try:
        stage.run("apt-get", *own, "-q", "update")
        stage.run("apt-get", *own, "-q", "source", "--download-only", *packages, cwd=store)
    except stage.CommandError as error:
        if "No space left" in error.output:
            raise
        stage.die("Debian's sources cannot be downloaded", "Check apt's sources and the network; see the log")


def _good(file: Path, digest: str) -> bool:
    return file.is_file() and stage.sha256(file) == digest
