"""Refresh the locks: resolve what pyproject.toml and parts.txt name, and write versions and hashes.

    python3 rootfs/lock/refresh.py            the wheels of the application (wheels.txt)
    python3 rootfs/lock/refresh.py --parts    also the newest parts (parts.txt, sdists.txt)

wheels.txt is for both the CPython of the offline repository and that of Alpine: each version with the
hashes of its wheels for either. It also sets rootfs/lock/date, the date that all files in the image
get and the earliest time a box without a clock believes in.
"""

import json
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

LOCK = Path(__file__).resolve().parent
sys.path.insert(0, str(LOCK.parent / "lib"))
import wheels

#: CPython of the offline repository, and of Alpine 3.23.
PYTHONS = ("3.13", "3.12")


def main() -> None:
    """Write the locks."""
    project = tomllib.loads((LOCK.parents[1] / "pyproject.toml").read_text())["project"]
    found: dict[tuple[str, str], set[str]] = {}
    for python in PYTHONS:
        for name, version, digest in resolve(project["dependencies"], wheels.tags(wheels.MUSL_PLATFORMS, python)):
            found.setdefault((name, version), set()).add(digest)
    names = [name for name, _ in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        sys.exit(f"Pin in pyproject.toml, versions differ between Pythons: {', '.join(twice)}")
    write(LOCK / "wheels.txt", "The application's dependencies on Alpine", found)
    if "--parts" in sys.argv:
        for file, tags in (
            ("parts.txt", wheels.tags(wheels.GLIBC_PLATFORMS, PYTHONS[0])),
            ("sdists.txt", ["--no-binary=:all:"]),
        ):
            old = [line.split("==")[0] for line in (LOCK / file).read_text().splitlines() if line[:1].isalnum()]
            parts = {(name, version): {digest} for name, version, digest in resolve(old, ["--no-deps", *tags])}
            write(LOCK / file, heading(LOCK / file), parts)
    (LOCK / "date").write_text(f"{int(time.time()) // 86400 * 86400}\n")


def resolve(requirements: list[str], options: list[str]) -> list[tuple[str, str, str]]:
    """Return name, version and SHA-256 of everything that pip would install."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--dry-run"]
    command += ["--ignore-installed", "--report", "-", "--target", "/nonexistent", *options, *requirements]
    report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return [
        (
            re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower(),
            item["metadata"]["version"],
            item["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for item in report["install"]
    ]


def heading(file: Path) -> str:
    """Return the first line of a lock's comment."""
    return file.read_text().splitlines()[0].removeprefix("# ").removesuffix(".")


def write(file: Path, text: str, found: dict[tuple[str, str], set[str]]) -> None:
    """Write a lock."""
    lines = [f"# {text}.", "# Refreshed by rootfs/lock/refresh.py."]
    for (name, version), digests in sorted(found.items()):
        lines.append(f"{name}=={version}" + "".join(f" --hash=sha256:{digest}" for digest in sorted(digests)))
    file.write_text("\n".join(lines) + "\n")
    print(f"{file.name}: {len(found)} packages")


main()
