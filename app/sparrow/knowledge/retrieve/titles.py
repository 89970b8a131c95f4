"""How far a passage's title is what was asked: many questions are a section's heading, or nearly so.

In a long passage the words of its title count little more than any others, and a passage that has one of them often
enough would go before the section that is named like the question.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import NamedTuple

from .. import keyword
from ..chunk import title_of

_CHINESE = re.compile("[\u4e00-\u9fff]")


class _Title(NamedTuple):
    text: str
    terms: frozenset[str]  # as the index has them
    latin: frozenset[str]  # those of them that are words
    length: float  # words; two Chinese characters are one


def matcher(query: str) -> Callable[[str | list[str] | None], float]:
    """Return what tells how far a passage's headings (a list, or its JSON) end in the question, 0..1.

    1: the same words. Of words and what they are called in the other language, or otherwise in their own, the part
    of both question and title that the other one has (Jaccard's, from the two parts).
    """
    asked = _terms(query)
    found, length = keyword.translations(query)
    others = [(size, list(map(_name, phrases))) for size, phrases in found]

    def match(heading: str | list[str] | None) -> float:
        title = _title(heading if isinstance(heading, str) else json.dumps(heading))
        if not title.terms or not asked:
            return 0.0
        shared = asked & title.terms
        own = len(shared) / len(asked | title.terms)
        return max(own, _renamed(title, shared, others, length)) if others else own

    return match


def _name(phrase: tuple[str, ...]) -> frozenset[str] | str:
    """Return the stems of English words, or the characters of a Chinese one."""
    if phrase[0].isascii():
        return frozenset(map(keyword.stem, phrase))
    return phrase[0] + "".join(term[-1] for term in phrase[1:])


def _renamed(title: _Title, shared: frozenset[str], others: list[tuple[float, list[frozenset[str] | str]]],
             length: float) -> float:
    """Return the match of a title by what the question's words are called otherwise, and by `shared` words."""
    words = {term for term in shared if term in title.latin}
    characters: set[int] = set()
    found = float(len(words))
    for size, names in others:
        known = False
        for name in names:
            if isinstance(name, frozenset):
                if name <= title.latin:
                    words |= name
                    known = True
            else:
                at = title.text.find(name)
                while at >= 0:
                    characters.update(range(at, at + len(name)))
                    known = True
                    at = title.text.find(name, at + 1)
        found += size * known
    of_question = min(found / max(length, 1.0), 1.0)
    of_title = min((len(words) + len(characters) / 2) / title.length, 1.0)
    both = of_question * of_title
    return both / (of_question + of_title - both) if both else 0.0


@functools.lru_cache(4096)
def _title(heading: str) -> _Title:
    text = title_of(json.loads(heading) or []).lower()
    terms = _terms(text)
    latin = frozenset(term for term in terms if term.isascii())
    return _Title(text, terms, latin, max(len(latin) + len(_CHINESE.findall(text)) / 2, 0.5))


def _terms(text: str) -> frozenset[str]:
    return frozenset(keyword.stem(term) if term.isascii() else term for term in keyword.query_terms(text))
