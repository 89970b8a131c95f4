# Stage: Make the initramfs
# After: root
# Input: rootfs/partitions rootfs/boot/init rootfs/boot/modules rootfs/boot/*.py
# Input: rootfs/overlay/usr/libexec/sparrow/disk.sh
# Tools: zstd
"""Make the initramfs: busybox, the C library, /init and a few kernel modules, as one small archive.

Leaves $OUT/initrd and $OUT/vmlinuz, what a slot's kernel partition holds.
"""

import shutil
import sys
from pathlib import Path

import stage

sys.path.insert(0, str(stage.SRC / "rootfs/boot"))
import cpio
import kernel_modules


def main() -> None:
    """Gather the tree, prove that its shell runs, pack it."""
    root, tree = stage.STAGES / "root/root", stage.TMPDIR / "initramfs"
    for folder in ("bin", "sbin", "lib", "dev", "proc", "sys", "newroot"):
        (tree / folder).mkdir(parents=True)
    boot = stage.SRC / "rootfs/boot"
    shutil.copy(boot / "init", tree / "init")
    shutil.copy(stage.SRC / "rootfs/overlay/usr/libexec/sparrow/disk.sh", tree / "disk.sh")
    shutil.copy(stage.SRC / "rootfs/partitions", tree / "partitions")
    add_busybox(root, tree)
    add_modules(root, tree, boot / "modules")

    (stage.TMPDIR / "initrd").write_bytes(cpio.pack(tree))
    stage.run("zstd", "-19", "-q", "-f", stage.TMPDIR / "initrd", "-o", stage.OUT / "initrd")
    shutil.copy(root / "boot/vmlinuz-virt", stage.OUT / "vmlinuz")
    stage.progress(f"initramfs of {(stage.OUT / 'initrd').stat().st_size >> 10} KiB")


def add_busybox(root: Path, tree: Path) -> None:
    """Copy busybox and its loader, which is musl itself, and link all applets to it."""
    loader = next(path for path in (root / "lib").glob("ld-musl-*.so.1"))
    shutil.copy(loader, tree / "lib" / loader.name)  # through the link, if it is one
    shutil.copy(root / "bin/busybox", tree / "bin/busybox")
    # Running it here also proves that nothing it needs is missing.
    for applet in stage.run("chroot", tree, "/bin/busybox", "--list", quiet=True).split():
        if applet != "busybox":
            (tree / "bin" / applet).symlink_to("busybox")


def add_modules(root: Path, tree: Path, wanted: Path) -> None:
    """Copy the modules that rootfs/boot/modules names, with an index of just these."""
    modules = kernel_modules.Modules(next((root / "lib/modules").iterdir()))
    load, chosen = [], []
    for line in wanted.read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            found = modules.find(words[1])
            chosen += found
            load += [kernel_modules.module_name(path) for path in found if words[0] == "load"]
    chosen = modules.closure(chosen)

    target = tree / "lib/modules" / modules.version
    plain = {path: path[: path.rindex(".ko")] + ".ko" for path in chosen}  # uncompressed: the archive is compressed
    for path, name in plain.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(kernel_modules.unpack(modules.tree / path))
    lines = [f"{plain[path]}: {' '.join(plain[need] for need in modules.needs[path])}".strip() for path in chosen]
    (target / "modules.dep").write_text("\n".join(lines) + "\n")
    (target / "modules.alias").write_text(modules.aliases(chosen))
    (tree / "load").write_text("\n".join(load) + "\n")


if __name__ == "__main__":
    main()
