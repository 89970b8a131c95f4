"""What is in the box's root file system, and that nothing is left of the sandbox image its base wheel was made for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .builder import ORDINARY, TOP, prepare

sys.path.insert(0, str(TOP / "rootfs/lib"))
import apkdb

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(1800)]

#: What apk writes for itself, and its log.
BOOKS = {
    "etc/apk/arch", "etc/apk/world", "var/log/apk.log",
    "lib/apk/db/scripts.tar.gz", "lib/apk/db/installed", "lib/apk/db/triggers",
}  # fmt: skip
#: Parts of names that only the sandbox image, or what gives access to a machine, has.
STRANGERS = ("quicksand", "sudo", "guest-agent", "guest_agent", "qemu-ga", "authorized_keys", "ssh_host", "dropbear",
             "etc/network/interfaces", "cloud-init")  # fmt: skip


@pytest.fixture(scope="module")
def stages():
    """Return the outputs of an ordinary build up to the system."""
    prepare("system")
    return ORDINARY / "stages"


def test_every_installed_file_belongs_to_a_package(stages):
    root = stages / "root/root"
    owned = {entry.path for package in apkdb.read(root) for entry in package.files}
    loose = [
        name
        for path in root.rglob("*")
        if path.is_symlink() or not path.is_dir()
        if (name := path.relative_to(root).as_posix()) not in owned | BOOKS
        and "/site-packages/" not in name  # of wheels, which have hashes of their own
        and not (path.is_symlink() and str(path.readlink()) in ("/bin/busybox", "/bin/bbsuid"))
    ]
    assert loose == []


def test_nothing_of_the_sandbox_image_stays(stages):
    root = stages / "system/root"
    names = [path.relative_to(root).as_posix() for path in root.rglob("*")]
    assert [name for name in names if any(word in name.lower() for word in STRANGERS)] == []
    for place in ("root", "home", "opt", "srv", "media", "mnt", "usr/local/bin"):
        assert not (root / place).is_dir() or list((root / place).iterdir()) == [], place


def test_no_package_records_a_file_of_the_build_host(stages):
    """A script's hash in RECORD tells the host's path of Python: two hosts would not give the same bits."""
    records = list((stages / "system/root").glob("usr/lib/python3.*/site-packages/*.dist-info/RECORD"))
    assert records
    assert [path.parent.name for path in records if "../../bin/" in path.read_text()] == []


def test_byte_code_is_without_docstrings_and_whole(stages):
    """Those that modules read while they are imported are left."""
    program = ("import email.policy, gunicorn, numpy.ma, redis, sqlalchemy.orm, supervisor; "
               "print(sqlalchemy.select.__doc__, supervisor.__doc__, bool(numpy.ma.ones.__doc__))")
    said = subprocess.run(["chroot", stages / "system/root", "python3", "-c", program], capture_output=True, text=True,
                          check=True)
    assert said.stdout.split() == ["None", "None", "True"]


def test_only_alpines_own_keys_are_trusted(stages):
    keys = sorted(path.name for path in (stages / "system/root/etc/apk/keys").iterdir())
    assert keys
    assert all(name.startswith("alpine-devel@lists.alpinelinux.org-") for name in keys)


def test_nobody_can_log_in(stages):
    for line in (stages / "system/root/etc/shadow").read_text().splitlines():
        name, password = line.split(":")[:2]
        assert password in ("*", "!", "!*"), name


def test_no_file_gives_rights_it_is_not_known_for(stages):
    root = stages / "system/root"
    files = [path for path in root.rglob("*") if not path.is_symlink() and path.is_file()]
    found = [path for path in files if path.stat().st_mode & 0o6000]
    assert [path.relative_to(root).as_posix() for path in found] == []
