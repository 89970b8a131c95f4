"""Read JSON that people and models write: damaged texts are repaired as Dify repairs them, by the same library."""

from __future__ import annotations

import json
from typing import Any

from sparrow.characters import whole

_READS = 1_000_000  # characters looked at, about a second: the library takes minutes for some texts of a few kilobytes


class _Bounded(str):
    """A text whose characters can be looked at so often and no more."""

    def __new__(cls, text: str) -> _Bounded:
        made = super().__new__(cls, text)
        made.left = _READS
        return made

    def __getitem__(self, at: Any) -> str:
        self.left -= 1
        if self.left < 0:
            raise ValueError("too damaged to be repaired")
        return str.__getitem__(self, at)


def loads(text: str) -> Any:
    """Return the value of strict JSON, else of repaired JSON; raise ValueError if there is none."""
    try:
        return whole(json.loads(text))
    except (ValueError, RecursionError):
        pass
    import json_repair  # loaded with the first damaged text: it takes 4 MB

    try:
        found = json_repair.loads(_Bounded(text), skip_json_loads=True)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if found == "":
        raise ValueError("no JSON found")
    return whole(found)
