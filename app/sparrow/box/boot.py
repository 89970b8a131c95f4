"""What early boot found wrong with the disk, in words.

Early boot starts the box whatever it finds, and leaves a file a problem below /run/boot/problems, named by a code,
with the details in it (rootfs/overlay/usr/libexec/sparrow/storage). The standard library only.
"""

from __future__ import annotations

from pathlib import Path

PROBLEMS = Path("/run/boot/problems")
# code → level, what it is about, and what it means and what to do
_WORDS = {
    "data-missing": ("error", "data", (
        "The data partition is missing. The box works from memory: all that is done now is lost when it is switched "
        "off. Switch it off, connect the right disk and start again.")),
    "data-damaged": ("error", "data", (
        "The data partition is damaged and could not be repaired. The box works from memory: all that is done now is "
        "lost when it is switched off. Nothing was written to the disk. Replace it and restore a backup.")),
    "data-not-grown": ("degraded", "disk", (
        "The data partition could not be made as large as the disk. The box works, with less room. Restart it to try "
        "again.")),
    "state-missing": ("degraded", "disk", (
        "The partition with the box's own settings is missing. Its name is lost at every start. Write the image to "
        "the disk again, after a backup.")),
    "state-damaged": ("degraded", "disk", (
        "The partition with the box's own settings is damaged. Its name is lost at every start. Write the image to "
        "the disk again, after a backup.")),
    "boot-damaged": ("degraded", "disk", (
        "The boot partition cannot be read. The box works but cannot be updated. Write the image to the disk again, "
        "after a backup.")),
}


def problems(folder: Path = PROBLEMS) -> list[dict[str, str]]:
    """Return [{"level", "what", "message", "detail"}], the worst first; nothing where no box has started."""
    found = []
    try:
        for path in sorted(folder.iterdir()):
            level, what, message = _WORDS.get(path.name, ("degraded", "disk", f"The start reported: {path.name}."))
            detail = " ".join(path.read_text(errors="replace").split())[:200]
            found.append({"level": level, "what": what, "message": message, "detail": detail})
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda problem: problem["level"] != "error")
