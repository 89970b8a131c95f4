# Stage: Install Alpine and the Python packages
# After: alpine packages
# Input: rootfs/packages rootfs/lock/wheels.txt
# Env: APK_REPOSITORIES APK_OFFLINE KEYS_HASH
"""Install rootfs/packages with apk and rootfs/lock/wheels.txt with pip into a new root file system.

The same for every kind of repository: the ones that were named, Alpine's mirror, or the one that an
earlier stage has made. Signatures are always checked. Leaves $OUT/root/.
"""

import os
import shutil
from pathlib import Path

import apk
import stage
import wheels

ROOT = stage.OUT / "root"
PACKAGES = stage.STAGES / "packages"
#: What apk says, and what it means: a part of its output, what is wrong, what to do.
TROUBLES = (
    ("UNTRUSTED signature", "The repository is not signed with a key that is trusted here",
     "Give the directory with its public key by --keys, and make sure that it is the repository you mean"),
    ("BAD signature", "A signature of the repository is wrong: it was altered, or is damaged",
     "Nothing of it was used. Copy or sync the repository again, or use another one"),
    ("file integrity error", "A package is not the one that the signed index names: altered, or damaged",
     "Nothing of it was used. Copy or sync the repository again, or use another one"),
    ("v2 package format error", "A package or index is not in apk's format: altered, or damaged",
     "Copy or sync the repository again, or use another one"),
    ("v3 package format error", "A package or index is not in apk's format: altered, or damaged",
     "Copy or sync the repository again, or use another one"),
    ("ADB schema error", "The index is not in apk's format: altered, or damaged",
     "Copy or sync the repository again, or use another one"),
    ("ADB block error", "The index is not in apk's format: altered, or damaged",
     "Copy or sync the repository again, or use another one"),
    ("WARNING: fetching", "The index of a repository cannot be read: altered, or damaged",
     "Copy or sync the repository again, or use another one"),
    ("WARNING: opening", "The index of a repository cannot be read: altered, or damaged",
     "Copy or sync the repository again, or use another one"),
    ("(no such package)", "The repositories lack packages of rootfs/packages",
     "Name all that are needed with --repository: of Alpine's, both main and community"),
    ("unable to select packages", "The packages of the repositories do not fit together",
     "See the log; repositories of different Alpine releases must not be mixed"),
    ("network error", "The repository stopped answering", "Try again, or use another mirror"),
    ("temporary error", "The repository stopped answering", "Try again, or use another mirror"),
)  # fmt: skip


def main() -> None:
    """Install everything."""
    install_packages()
    library = next(path for path in (ROOT / "usr/lib").glob("python3.*") if path.is_dir())
    python = library.name.removeprefix("python")
    lock = stage.SRC / "rootfs/lock/wheels.txt"
    store = stage.CACHE / f"wheels-{python}"
    stage.progress(f"Python packages for CPython {python}")
    wheels.download_wheels(lock, store, wheels.MUSL_PLATFORMS, python)
    wheels.install(lock, store, library / "site-packages", python)
    leave_scripts_out(library / "site-packages")
    # Where Chroma's module and the application are.
    (library / "site-packages/sparrow.pth").write_text("/app\n/usr/lib/sparrow\n")


def leave_scripts_out(packages: Path) -> None:
    """Remove the packages' scripts: they carry this host's path of Python, and their hashes in RECORD show it."""
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for record in packages.glob("*.dist-info/RECORD"):
        lines = record.read_text().splitlines(keepends=True)
        record.write_text("".join(line for line in lines if not line.startswith("../../bin/")))


def install_packages() -> None:
    """Run apk for the repositories that were chosen."""
    repositories = [PACKAGES / "sparrow" / stage.ARCH / "Packages.adb"]
    if os.environ["APK_OFFLINE"] == "yes":
        repositories.append(PACKAGES / "alpine" / stage.ARCH / "Packages.adb")
    else:
        repositories += [address_of(word) for word in os.environ["APK_REPOSITORIES"].split()]
    lines = (stage.SRC / "rootfs/packages").read_text().splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    words: list[object] = ["--root", ROOT, "--initdb", "--arch", stage.ARCH, "--keys-dir", trusted_keys()]
    words += ["--no-cache", "--no-interactive", "--repositories-file", "/dev/null"]
    for repository in repositories:
        words += ["--repository", repository]
    ROOT.mkdir()
    stage.progress(f"{len(names)} Alpine packages and what they depend on")
    try:
        output = stage.run(apk.APK, *words, "add", *names, env={"PATH": os.environ["PATH"]})
    except stage.CommandError as error:
        for sign, trouble, hint in TROUBLES:
            if sign in error.output:
                detail = next(line.strip() for line in error.output.splitlines() if sign in line)
                stage.die(f"{trouble}\n      apk: {detail}", hint)
        raise
    if "UNTRUSTED" in output or "ERROR" in output:
        stage.die("apk reported an error; see the log", "Nothing of it was used")


def address_of(word: str) -> str:
    """Return what apk calls a repository: its index, or, for the old kind, the address above."""
    index = word.rpartition("#")[0]
    return index.removesuffix(f"/{stage.ARCH}/APKINDEX.tar.gz")


def trusted_keys() -> Path:
    """Return a folder with the keys that are trusted: Alpine's, ours, and those that were given."""
    folder = stage.TMPDIR / "keys"
    folder.mkdir()
    # apk knows keys by their content; a name of our own cannot meet that of a key that was given.
    for key in (PACKAGES / "keys").glob("*.pub"):
        shutil.copy(key, folder / f"this-build-{key.name}")
    sources = []
    if os.environ["APK_OFFLINE"] != "yes":
        sources.append(stage.STAGES / f"alpine/base/usr/share/apk/keys/{stage.ARCH}")
    if os.environ.get("KEYS_DIR"):
        sources.append(Path(os.environ["KEYS_DIR"]))
    for source in sources:
        for key in source.glob("*.pub"):
            shutil.copy(key, folder / key.name)
    return folder


main()
