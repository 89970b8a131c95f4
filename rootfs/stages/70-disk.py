# Stage: Put the disk together
# After: squashfs initramfs loaders
# Input: rootfs/partitions rootfs/boot/partitions.py rootfs/boot/verity.py
# Env: VERSION
# Tools: sfdisk mkfs.vfat mcopy mke2fs mksquashfs qemu-img zstd
"""Put the disk image together from plain files: no loop devices, no mounts.

Slot A is filled and good; slot B is empty until the first update. Leaves in $OUT/publish/ the
image as it is written to a disk, the same compressed, the same for QEMU, and a manifest with the
hash of each part; in $OUT/kernel.squashfs the content of a kernel partition.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import stage

sys.path.insert(0, str(stage.SRC / "rootfs/boot"))
import partitions
import verity

VERSION = os.environ.get("VERSION", "0")
NAME = f"sparrow-{VERSION}-{stage.ARCH}"
#: Room for the data's file system to grow to, in MiB: its table of groups is laid out for it.
GROWS_TO = 4 << 20
JOURNAL = {"state": 4, "data": 16}  # MiB


def main() -> None:
    """Make each partition's content, then the disk, then its other forms."""
    table = partitions.Table()
    loaders, root = stage.STAGES / "loaders", stage.STAGES / "squashfs/root.squashfs"
    kernel = make_kernel(stage.OUT / "kernel.squashfs")
    (stage.OUT / "publish").mkdir()
    image = stage.OUT / "publish" / f"{NAME}.img"
    with image.open("wb") as file:
        file.truncate(table.disk_size)
    stage.run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", image, stdin=feed(table.sfdisk()))
    place(image, loaders / "boot.img", 0, 440)
    put(image, table["bios"], loaders / "core.img")
    put(image, table["esp"], make_esp(table["esp"], loaders / "esp"))
    put(image, table["kernel-a"], kernel)
    put(image, table["root-a"], root)
    for name in ("state", "data"):
        put(image, table[name], make_ext4(table[name]))

    write_manifest(table, kernel, root)
    stage.progress("compressing")
    stage.run("zstd", "-q", "-f", "-9", f"-T{os.environ.get('JOBS', '1')}", image, "-o", f"{image}.zst")
    stage.run("qemu-img", "convert", "-O", "qcow2", image, image.with_suffix(".qcow2"))


def make_kernel(target: Path) -> Path:
    """Make the file system of a kernel partition. GRUB reads gzip; its content is compressed already."""
    tree = stage.TMPDIR / "kernel"
    tree.mkdir()
    for name in ("vmlinuz", "initrd"):
        shutil.copy(stage.STAGES / "initramfs" / name, tree / name)
        os.utime(tree / name, (stage.EPOCH, stage.EPOCH))
    os.utime(tree, (stage.EPOCH, stage.EPOCH))
    stage.run("mksquashfs", tree, target, "-comp", "gzip", "-noD", "-noF", "-all-root", "-no-xattrs", "-no-progress")
    return target


def make_esp(part: partitions.Partition, tree: Path) -> Path:
    """Make the boot partition's FAT32 with fixed serial number and times."""
    target = empty_file(part)
    # One sector a cluster: else a file system of this size has too few clusters for FAT32.
    stage.run("mkfs.vfat", "--invariant", "-F", "32", "-s", "1", "-i", part.id, "-n", part.label, target)
    copy = stage.TMPDIR / "esp.tree"
    shutil.copytree(tree, copy)
    for path in (copy, *copy.rglob("*")):
        os.utime(path, (stage.EPOCH, stage.EPOCH))
    # mtools asks about what it takes for a strange disk geometry unless told not to.
    stage.run("mcopy", "-i", target, "-s", "-m", *sorted(copy.iterdir()), "::/",
              env={**os.environ, "MTOOLS_SKIP_CHECK": "1"})
    return target


def make_ext4(part: partitions.Partition) -> Path:
    """Make an empty ext4 with fixed identity and times, ready to grow."""
    target = empty_file(part)
    fixed = f"hash_seed={part.id},lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0"
    grow = f",resize={GROWS_TO * partitions.MIB // 4096}" if part.name == "data" else ""
    stage.run(
        "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", "-J", f"size={JOURNAL[part.name]}",
        "-O", "^orphan_file,^metadata_csum_seed", "-L", part.label, "-U", part.id, "-E", fixed + grow, target,
        env={**os.environ, "E2FSPROGS_FAKE_TIME": str(stage.EPOCH)},
    )  # fmt: skip
    return target


def empty_file(part: partitions.Partition) -> Path:
    """Return a new file of the partition's size."""
    path = stage.TMPDIR / part.name
    with path.open("wb") as file:
        file.truncate(part.size)
    return path


def put(image: Path, part: partitions.Partition, content: Path) -> None:
    """Copy a file into its partition; stop if it does not fit."""
    stage.progress(f"{part.name}: {content.stat().st_size / partitions.MIB:.1f} of {part.size // partitions.MIB} MiB")
    if content.stat().st_size > part.size:
        stage.die(f"{content.name} does not fit into the partition {part.name}", "Make it larger in rootfs/partitions")
    place(image, content, part.start)


def place(image: Path, content: Path, offset: int, block: int = partitions.MIB) -> None:
    """Copy a file into the image at an offset, leaving holes where it is empty."""
    with content.open("rb") as source, image.open("r+b") as target:
        for at in range(0, content.stat().st_size, block):
            data = source.read(block)
            if data.count(0) < len(data):
                target.seek(offset + at)
                target.write(data)


def write_manifest(table: partitions.Table, kernel: Path, root: Path) -> None:
    """Write what is in a slot, with the hashes that an update and, later, dm-verity check."""
    salt = bytes.fromhex(table["root-a"].guid.replace("-", "")).ljust(32, b"\0")
    root_hash, blocks = verity.root_hash(root, salt)
    manifest = {
        "name": "sparrow",
        "version": VERSION,
        "arch": stage.ARCH,
        "created": stage.EPOCH,
        "kernel": {"size": kernel.stat().st_size, "sha256": stage.sha256(kernel)},
        "root": {
            "size": root.stat().st_size,
            "sha256": stage.sha256(root),
            "verity": {"root_hash": root_hash, "salt": salt.hex(), "blocks": blocks, "block_size": verity.BLOCK},
        },
    }
    (stage.OUT / "publish" / f"{NAME}.manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def feed(text: str):
    """Return a file to read this text from, for a command's standard input."""
    reader, writer = os.pipe()
    os.write(writer, text.encode())
    os.close(writer)
    return reader


if __name__ == "__main__":
    try:
        main()
    except subprocess.SubprocessError as error:
        stage.die(str(error))
