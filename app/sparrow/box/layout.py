"""The folders on the data partition and in memory: who owns them and who may look in."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from sparrow.errors import Unavailable
from sparrow.settings import Settings

# program → user on the box. Under `sparrow dev` everything runs as the one who called it.
USERS = {
    "redis": "sparrow-redis",
    "chroma": "sparrow-chroma",
    "api": "sparrow-api",
    "worker": "sparrow-worker",
    "caddy": "sparrow-caddy",
    "screen": "sparrow-screen",
}
SHARED = "sparrow"  # the group of what API and worker share

# folder on the data partition → owner, group, mode. Setgid: what one makes there, the other may change.
_DATA = {
    "db": ("sparrow-api", SHARED, 0o2770),
    "files": ("sparrow-api", SHARED, 0o2770),
    "models": ("sparrow-api", SHARED, 0o2770),
    "drop": ("sparrow-api", SHARED, 0o2770),
    "config": ("sparrow-api", SHARED, 0o2770),
    "config/wanted": ("sparrow-api", SHARED, 0o2770),
    "backups": ("sparrow-api", SHARED, 0o2770),
    "tmp": ("sparrow-api", SHARED, 0o2770),
    "chroma": ("sparrow-chroma", "sparrow-chroma", 0o700),
    "tls": ("sparrow-screen", "sparrow-caddy", 0o2750),
    "log": ("sparrow-screen", SHARED, 0o2750),
}
_RUN = {
    ".": ("root", SHARED, 0o1775),  # sticky: a program may replace its own socket only
    "log": ("root", "sparrow-screen", 0o2750),
    "public": ("sparrow-screen", "sparrow-caddy", 0o2750),
    "screen": ("sparrow-screen", "sparrow-screen", 0o700),
    "api": ("sparrow-api", SHARED, 0o700),
    "caddy": ("sparrow-caddy", "sparrow-caddy", 0o700),
}


def make(settings: Settings) -> None:
    """Make all folders, or raise Unavailable with what to do. Idempotent; owners are set when run as root.

    Under `sparrow dev` only the caller may look in, whoever that is. A box whose disk is full or read-only starts
    all the same: its health says so, and somebody has to be able to delete something.
    """
    root = os.geteuid() == 0 and not settings.dev
    for base, folders in ((settings.data_dir, _DATA), (settings.run_dir, _RUN)):
        for name, (user, group, mode) in folders.items():
            _make(base / name, 0o700 if settings.dev else mode, (user, group) if root else None)
    if settings.dev:
        check_writable(settings)


def check_writable(settings: Settings) -> None:
    """Raise Unavailable if nothing can be written to the data folder: full, read-only or not allowed."""
    probe = settings.config_dir / f".probe-{os.getpid()}"
    try:
        with open(probe, "wb") as file:
            file.write(b"sparrow")
    except OSError as error:
        raise explain(settings.data_dir, error)
    finally:
        try:
            probe.unlink()
        except OSError:
            pass


def _make(path: Path, mode: int, owner: tuple[str, str] | None) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        if owner is not None:
            user, group = _ids(*owner)
            os.chown(path, user, group)
        os.chmod(path, mode)  # after chown, which clears setgid; past the umask
    except OSError as error:
        raise explain(path, error)


def _ids(user: str, group: str) -> tuple[int, int]:
    import grp
    import pwd

    try:
        return pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError:
        raise Unavailable(f"The user {user} or the group {group} does not exist here. The box has them; "
                          "on other machines use `sparrow dev`.")


def explain(path: Path, error: OSError) -> Unavailable:
    """Say what an error of the operating system means for a folder, and what to do."""
    reasons = {
        errno.ENOSPC: "the disk is full. Delete backups or files, or use a larger disk",
        errno.EDQUOT: "the disk quota is used up",
        errno.EROFS: "the file system is read-only. It was set so after an error: check the disk, then restart",
        errno.EACCES: "this user may not write there. Choose another folder or correct its owner",
        errno.EPERM: "this user may not change it. Choose another folder or correct its owner",
        errno.ENOTDIR: "a file is in the way of a folder",
        errno.EEXIST: "a file is in the way of a folder",
        errno.ENOENT: "the folder is missing: the data partition is probably not mounted",
        errno.EIO: "the disk reports errors. Replace it and restore a backup",
    }
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return Unavailable(f"Cannot write to {path}: {reason}.")
