# Stage: Make the boot loaders
# Input: rootfs/partitions rootfs/boot/grub.cfg rootfs/boot/cmdline rootfs/boot/partitions.py app/sparrow/box/slots.py
# Tools: grub-mkimage /usr/lib/grub/i386-pc/boot.img /usr/lib/grub/x86_64-efi/moddep.lst
"""Make GRUB for UEFI and for BIOS, its configuration and its environment.

Leaves $OUT/esp/, what the boot partition holds, and $OUT/{boot,core}.img, what BIOS needs
outside of it: the code in the disk's first sector and the content of the "bios" partition.
"""

import struct
import sys
from pathlib import Path

import stage

sys.path[:0] = [str(stage.SRC / "rootfs/boot"), str(stage.SRC / "app/sparrow/box")]
import partitions
import slots

#: What grub.cfg uses, besides what reads the disk. Built in: no file of GRUB's is read at boot.
COMMANDS = ["normal", "linux", "loadenv", "test", "echo", "regexp", "serial", "terminal", "sleep",
            "reboot", "minicmd", "ls", "cat"]
DISK = ["part_gpt", "fat", "squash4"]
#: Where GRUB's files for each platform are, and what else it needs there.
GRUB = Path("/usr/lib/grub")
BIOS, UEFI = "i386-pc", "x86_64-efi"
#: Code of boot.img that goes into the disk's first sector; the rest is the partition table.
BOOT_CODE = 440
#: Offsets of 64-bit sector numbers in boot.img and core.img, and of boot.img's check of the drive
#: number, which is blanked out as grub-bios-setup does (GRUB's boot.S and diskboot.S).
KERNEL_SECTOR, DRIVE_CHECK, REST_SECTOR = 0x5C, 0x66, 0x1F4


def main() -> None:
    """Make both loaders around the one configuration."""
    table = partitions.Table()
    esp = stage.OUT / "esp"
    (esp / "EFI/BOOT").mkdir(parents=True)
    (esp / "sparrow").mkdir()

    (esp / "sparrow/grub.cfg").write_text(configuration(table))
    (esp / "sparrow/grubenv").write_bytes(slots.encode({"good": "a"}))
    # Without a device in front GRUB takes the partition it was loaded from; on BIOS it only knows the disk.
    make(UEFI, "/sparrow", esp / "EFI/BOOT/BOOTX64.EFI")
    make(BIOS, f"(,gpt{table['esp'].number})/sparrow", stage.TMPDIR / "core.img", "biosdisk")
    place_for_bios(table["bios"], stage.TMPDIR / "core.img")


def configuration(table: partitions.Table) -> str:
    """Return grub.cfg with the numbers of this table."""
    boot = stage.SRC / "rootfs/boot"
    text = (boot / "grub.cfg").read_text()
    for name in ("kernel-a", "kernel-b"):
        text = text.replace(f"@{name.upper().replace('-', '_')}@", f"gpt{table[name].number}")
    return text.replace("@CMDLINE@", (boot / "cmdline").read_text().strip())


def make(platform: str, prefix: str, target: Path, *modules: str) -> None:
    """Make one GRUB image, with all it needs built in."""
    stage.run("grub-mkimage", "-O", platform, "-p", prefix, "-o", target, *modules, *DISK, *COMMANDS)


def place_for_bios(partition: partitions.Partition, image: Path) -> None:
    """Write where core.img lies on the disk into boot.img and core.img, as grub-bios-setup would."""
    boot = bytearray((GRUB / BIOS / "boot.img").read_bytes())
    core = bytearray(image.read_bytes())
    if len(core) > partition.size:
        stage.die(f"GRUB is larger than the partition {partition.name}", "Make it larger in rootfs/partitions")
    struct.pack_into("<Q", boot, KERNEL_SECTOR, partition.sector)
    boot[DRIVE_CHECK : DRIVE_CHECK + 2] = b"\x90\x90"
    struct.pack_into("<Q", core, REST_SECTOR, partition.sector + 1)
    (stage.OUT / "boot.img").write_bytes(boot[:BOOT_CODE])
    (stage.OUT / "core.img").write_bytes(core)


if __name__ == "__main__":
    main()
