"""Porter's stemmer (M.F. Porter, "An algorithm for suffix stripping", 1980), as SQLite's FTS5 applies it.

The number of rows a word is in can only be looked up by its stem, so the stem has to be the index's own.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

_STEP2 = (("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("logi", "log"),
          ("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"),
          ("ation", "ate"), ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"),
          ("ousness", "ous"), ("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"))
_STEP3 = (("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""))
_STEP4 = ("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate",
          "iti", "ous", "ive", "ize")


@lru_cache(maxsize=4096)
def porter(word: str) -> str:
    """Return the stem of a lower-case ASCII word; words with digits or over 64 letters stay."""
    if len(word) < 3 or len(word) > 64 or not word.isalpha():
        return word
    word = _step1(word)
    word = _replace(word, _STEP2, 1)
    word = _replace(word, _STEP3, 1)
    for ending in sorted(_STEP4, key=len, reverse=True):
        if word.endswith(ending):
            base = word[:-len(ending)]
            if _measure(base) > 1 and (ending != "ion" or base.endswith(("s", "t"))):
                word = base
            break
    if word.endswith("e"):
        base = word[:-1]
        if _measure(base) > 1 or (_measure(base) == 1 and not _short(base)):
            word = base
    if word.endswith("ll") and _measure(word[:-1]) > 1:
        word = word[:-1]
    return word


def _step1(word: str) -> str:
    if word.endswith(("sses", "ies")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    trimmed = False
    if word.endswith("eed"):
        if _measure(word[:-3]) > 0:
            word = word[:-1]
    elif word.endswith("ed") and _has_vowel(word[:-2]):
        word, trimmed = word[:-2], True
    elif word.endswith("ing") and _has_vowel(word[:-3]):
        word, trimmed = word[:-3], True
    if trimmed:
        if word.endswith(("at", "bl", "iz")):
            word += "e"
        elif len(word) > 1 and word[-1] == word[-2] and _consonant(word, len(word) - 1) and word[-1] not in "lsz":
            word = word[:-1]
        elif _measure(word) == 1 and _short(word):
            word += "e"
    if word.endswith("y") and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    return word


def _replace(word: str, rules, least: int) -> str:
    for ending, new in sorted(rules, key=lambda rule: -len(rule[0])):
        if word.endswith(ending):
            base = word[:-len(ending)]
            return base + new if _measure(base) >= least else word
    return word


def _consonant(word: str, at: int) -> bool:
    char = word[at]
    if char in "aeiou":
        return False
    return char != "y" or at == 0 or not _consonant(word, at - 1)


def _has_vowel(word: str) -> bool:
    return any(not _consonant(word, at) for at in range(len(word)))


def _measure(word: str) -> int:
    kinds = [_consonant(word, at) for at in range(len(word))]
    return sum(1 for a, b in itertools.pairwise(kinds) if not a and b)


def _short(word: str) -> bool:
    return (len(word) >= 3 and _consonant(word, len(word) - 1) and not _consonant(word, len(word) - 2)
            and _consonant(word, len(word) - 3) and word[-1] not in "wxy")
