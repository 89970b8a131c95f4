"""Download and install what the locks name, with pip and by hash only.

A lock is a pip requirements file in which every line has a version and hashes; without them pip
refuses, so that nothing reaches the image that was not looked at when the lock was made.
"""

import os
import sys
from pathlib import Path

import stage

#: Tags of wheels that run on Alpine, best first.
MUSL_PLATFORMS = ("musllinux_1_2_x86_64", "musllinux_1_1_x86_64")
#: Tags of wheels that parts are taken from; what is in them need not run on this host.
GLIBC_PLATFORMS = ("manylinux_2_17_x86_64", "manylinux2014_x86_64")


def tags(platforms: tuple[str, ...], python: str) -> list[str]:
    """Return the options that make pip choose wheels for platforms and a version of CPython, e.g. "3.13"."""
    words = ["--only-binary=:all:", "--python-version", python, "--implementation", "cp"]
    words += [word for platform in platforms for word in ("--platform", platform)]
    return words + [word for abi in (f"cp{python.replace('.', '')}", "abi3", "none") for word in ("--abi", abi)]


def download_wheels(lock: Path, into: Path, platforms: tuple[str, ...], python: str = "3.13") -> None:
    """Download the wheels of a lock for a platform and a Python version, e.g. "3.13"."""
    _pip("download", "--no-deps", "--require-hashes", *tags(platforms, python), "-d", into, "-r", lock)


def download_sdists(lock: Path, into: Path, setuptools: Path) -> None:
    """Download the source distributions of a lock; `setuptools` is a folder that holds that package.

    pip asks a source for its metadata before it is done, which runs its setup.py; the setuptools for
    that is a locked one as well.
    """
    _pip(
        *("download", "--no-deps", "--require-hashes", "--no-binary=:all:", "--no-build-isolation"),
        *("-d", into, "-r", lock),
        env={**os.environ, "PYTHONPATH": f"{setuptools}"},
    )


def install(lock: Path, wheels: Path, into: Path, python: str) -> None:
    """Install the locked wheels found in a folder into a site-packages folder of another root."""
    _pip(
        *("install", "--no-deps", "--require-hashes", "--no-index", "--no-compile", "--find-links", wheels),
        *(*tags(MUSL_PLATFORMS, python), "--target", into, "-r", lock),
    )


def _pip(*arguments: object, **options) -> None:
    try:
        stage.run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments, **options)
    except stage.CommandError as error:
        explain(error.output)
        raise


def explain(output: str) -> None:
    """End with a clear reason if pip's output has a known one."""
    if "DO NOT MATCH THE HASHES" in output:
        stage.die(
            "A package that was downloaded is not the one in the lock",
            "It was altered on the way, or by a mirror in between. Nothing of it was used; see the log",
        )
    if "No space left on device" in output:
        return  # the driver says where
    for sign in ("NewConnectionError", "Temporary failure in name resolution", "Read timed out", "ConnectTimeout"):
        if sign in output:
            stage.die(
                "The Python package index cannot be reached",
                "Check the network, or the index and proxy that pip is set up with (pip config list)",
            )
    if "CERTIFICATE_VERIFY_FAILED" in output:
        stage.die(
            "The Python package index shows a certificate that this machine does not trust",
            "Is its clock right? Behind a proxy that opens TLS, add its CA (update-ca-certificates) and tell pip of "
            "it (pip config set global.cert FILE)",
        )
    if "No matching distribution found" in output:
        line = next(line for line in output.splitlines() if "No matching distribution found" in line)
        stage.die(
            f"{line.removeprefix('ERROR: ')} in the lock",
            "The index no longer has it: refresh the lock (rootfs/lock/refresh.py)",
        )
