"""What the words of a question may be called otherwise: Chinese ones in English, English ones in Chinese, and by words
of the same language that are translated alike.

So the keyword index finds what the vectors alone would have to. The dictionary is memory-mapped: nothing of it is
resident before the first question.
"""

from __future__ import annotations

import fcntl
import functools
import logging
import mmap
import threading
from pathlib import Path

from sparrow import settings

log = logging.getLogger(__name__)

NAME = "cc-cedict"
_CACHE = "cc-cedict-3"  # another name whenever the files are made otherwise
CHINESE, ENGLISH = "zh.txt", "en.txt"  # by the language of the words looked up
LONGEST = {CHINESE: 5, ENGLISH: 3}  # characters, words

_lock = threading.Lock()
_maps: dict[str, mmap.mmap | None] = {}


def words(parts: list[str], language: str) -> list[tuple[int, tuple[str, ...]]]:
    """Return the words found in `parts`, the longest first taken: how many parts each is, and what it may be called.

    `parts` are the characters of a Chinese run (CHINESE) or stems of English words in order (ENGLISH).
    """
    joint = "" if language == CHINESE else " "
    out, at = [], 0
    while at < len(parts):
        for size in range(min(LONGEST[language], len(parts) - at), 0, -1):
            others = look_up(joint.join(parts[at:at + size]), language)
            if others:
                out.append((size, others))
                at += size
                break
        else:
            at += 1
    return out


@functools.lru_cache(4096)  # a search for a word takes 17 steps, and questions of a box share their words
def look_up(word: str, language: str) -> tuple[str, ...]:
    """Return what a word may be called otherwise, the likeliest first."""
    data = _open(language)
    if data is None or not word:
        return ()
    key = word.encode() + b"\t"
    low, high = 0, len(data)
    while low < high:  # a line begins at `low`, and one ends before `high`
        middle = (low + high) // 2
        start = data.rfind(b"\n", low, middle) + 1 or low
        end = data.find(b"\n", middle)
        line = data[start:end]
        if line.startswith(key):
            return tuple(line[len(key):].decode().split("/"))
        if line < key:
            low = end + 1
        else:
            high = start
    return ()


def folder() -> Path:
    """Return the folder of the dictionary, converting it into a cache first where no image has brought it."""
    for place in (settings.get().home_dir / "models" / NAME, Path("/usr/share/sparrow/models") / NAME):
        if (place / ENGLISH).is_file():
            return place
    place = settings.cache_dir() / _CACHE
    if not (place / ENGLISH).is_file():
        from .convert import convert

        place.parent.mkdir(parents=True, exist_ok=True)
        with open(place.with_name(_CACHE + ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            convert(place)
    return place


def _open(language: str) -> mmap.mmap | None:
    if language not in _maps:
        with _lock:
            if language not in _maps:
                try:
                    with open(folder() / language, "rb") as file:
                        _maps[language] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                except (OSError, ValueError, RuntimeError) as error:
                    # Search goes on without it: the vectors still reach the other language.
                    log.warning("the dictionary cannot be opened: %s", error)
                    _maps[language] = None
    return _maps[language]
