"""Find the index of an Alpine package repository, for mkimage.sh.

    repositories.py probe ARCH URL|DIR...   print "INDEX#HASH" for each; say what is wrong, if anything
    repositories.py try ARCH URL...         the same with a short time limit and without a word

A repository is named as in /etc/apk/repositories, by the address above its architecture's folder
("…/v3.23/main"); that folder holds an index, "APKINDEX.tar.gz" or "Packages.adb". The index may
also be named itself. The hash lets a build notice that a repository has changed.
"""

import hashlib
import sys
import urllib.error
import urllib.request
from pathlib import Path

import stage

INDEXES = ("APKINDEX.tar.gz", "Packages.adb")
#: Seconds to wait for a repository the user named, and for a mirror that is only tried.
PATIENCE, IMPATIENCE = 20, 4


def main(mode: str, arch: str, *repositories: str) -> None:
    """Print the index and its hash of each repository."""
    found = []
    for repository in repositories:
        try:
            found.append(find_index(repository, arch, PATIENCE if mode == "probe" else IMPATIENCE))
        except LookupError as error:
            if mode == "try":
                sys.exit(1)
            stage.die(*error.args)
    print(" ".join(f"{index}#{digest}" for index, digest in found))


def find_index(repository: str, arch: str, patience: float) -> tuple[str, str]:
    """Return the address of a repository's index and its SHA-256; raise LookupError(text, hint)."""
    remote = repository.startswith(("http://", "https://"))
    if not remote and "://" in repository:
        raise LookupError(f"{repository} is not an http, https or local repository", "See mkimage.sh --help")
    base = repository.rstrip("/") if remote else str(Path(repository).resolve())
    candidates = [base] if base.endswith(INDEXES) else [f"{base}/{arch}/{name}" for name in INDEXES]
    read = read_remote if remote else read_local
    for candidate in candidates:
        data = read(candidate, patience)
        if data is not None:
            return candidate, hashlib.sha256(data).hexdigest()
    if not remote and not Path(base).exists():
        hint = "Give --repository an existing directory or a URL"
        raise LookupError(f"The repository {repository} does not exist", hint)
    raise LookupError(
        f"{repository} is not an Alpine repository: it has no {arch}/{' or '.join(INDEXES)}",
        "Name the address above the architecture's folder, such as …/v3.23/main",
    )


def read_local(path: str, _patience: float) -> bytes | None:
    """Return the content of a file, or None if there is none."""
    file = Path(path)
    return file.read_bytes() if file.is_file() else None


def read_remote(url: str, patience: float) -> bytes | None:
    """Return what a URL holds, or None if the server has no such file; raise LookupError otherwise."""
    try:
        with urllib.request.urlopen(url, timeout=patience) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        if error.code in (403, 404, 410):
            return None
        raise LookupError(f"The repository answered {error.code} {error.reason}: {url}", "Try another mirror") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise LookupError(
            f"The repository cannot be reached: {url} ({reason})",
            "Check the address and the network; without --repository one is made from PyPI and Debian packages",
        ) from None


if __name__ == "__main__":
    main(*sys.argv[1:])
