"""The version of a file against the one written here: import at once, with a warning, or after a question."""

import re
from typing import Any, Literal

from sparrow.errors import BadRequest

CURRENT = "0.6.0"
_OLDEST = "0.1.0"  # what a file without a version counts as

Status = Literal["completed", "completed-with-warnings", "pending"]


def of(document: dict[str, Any]) -> str:
    """Return the version a file declares; raise BadRequest if it is not text in the form of a version."""
    version = document.get("version")
    if version is None or version == "":
        return _OLDEST
    if not isinstance(version, str):
        raise BadRequest(f"Invalid version type, expected str, got {type(version)}", params="version")
    _numbers(version)
    return version


def status(version: str) -> Status:
    """Return what an import of that version leads to, by Dify's rule."""
    imported, current = _numbers(version), _numbers(CURRENT)
    if imported > current or imported[0] < current[0]:
        return "pending"
    return "completed-with-warnings" if imported[1] < current[1] else "completed"


def _numbers(version: str) -> tuple[int, int, int]:
    """Return major, minor and patch. Pre-releases and the like count as their release."""
    match = re.fullmatch(r"v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:[.\-+]?[0-9A-Za-z.\-+]{0,40})?",
                         version.strip())
    if match is None:
        raise BadRequest(f"Invalid version: '{version[:40]}'", params="version")
    major, minor, patch = match.groups()
    return int(major), int(minor or 0), int(patch or 0)
