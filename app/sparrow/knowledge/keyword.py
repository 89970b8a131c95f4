"""The keyword index: tokens that find two-character Chinese words, part numbers, error codes and model
names.

Chinese (and kana, hangul) runs become single characters and pairs; a compound such as "A-40/2B" becomes its parts
and the whole without its marks, so that "A40/2B" finds it too. Both databases hold these tokens without diacritics,
the English ones as their stems (Porter): FTS5 sees to that in SQLite, `_indexed` for PostgreSQL.
"""

from __future__ import annotations

import math
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from sparrow.storage import db
from sparrow.storage.tables.account import settings as settings_table

from . import bilingual

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_CJK = "\u3400-\u9fff\uf900-\ufaff\u3041-\u30ff\uac00-\ud7a3\U00020000-\U0003ffff"
_TOKEN = re.compile(
    f"([{_CJK}]+)|([^\\W_{_CJK}]+(?:[-/._:+#@'&~\\\\]+[^\\W_{_CJK}]+)*(?:\\+\\+|#)?)")
_MARKS = re.compile(r"[-/._:+#@'&~\\]+")
_MIXED = re.compile(r"[a-z]+|\d+")
# Words that carry no meaning in a question; kept when nothing else is left.
_STOP_WORDS = """
a an and are as at be by can could do does for from has have how i if in is it its me my of on or our s should t that
the their there this to use used using was we what when where which who why will with would you your
什么 怎么 如何 哪些 哪个 怎样 为什 么样 是什 请问 可以 一个 我们 这个 那个 有哪 是否 多少 吗 的 了 是 在 和 么用 用来
"""
_STOP = frozenset(_STOP_WORDS.split())
_MAX_DOCUMENTS = 3000  # rows that are ranked for one question; more common words decide nothing
_MAX_TRANSLATED = 1000  # the same for what its words are called otherwise: several stand for one
_MAX_TERMS = 24
_LARGE, _LARGE_PART = 3000, 0.1  # rows of a large base, and which part of the index they are at least
_ENOUGH = 1.8  # times a word's weight: what it may add to a score by standing there often, or in several translations
_RANKED = ("SELECT rowid, -rank FROM knowledge_fts WHERE knowledge_fts MATCH ? "
           "AND rank MATCH 'bm25(1.0, 0.0)'")  # serial, BM25
_frequency: dict[str, tuple[float, int]] = {}
_FREQUENCY_SECONDS = 60.0
_rows: tuple[float, int] = (0.0, 0)
_GROWN = 0.1  # part of the index's rows: when it has so many more, what was counted holds no longer
_counted = 0  # the last row when it was


def tokens(text: str) -> list[str]:
    """Return the tokens a text is found by, in order and with repeats."""
    out: list[str] = []
    for match in _TOKEN.finditer(unicodedata.normalize("NFKC", text).lower()):
        if match[1]:
            run = match[1]
            out += run
            out += [run[i:i + 2] for i in range(len(run) - 1)]
        else:
            out += _compound(match[2])
    return out


def query_terms(text: str) -> list[str]:
    """Return the distinct tokens to look for: pairs for Chinese, no stop words unless there is nothing
    else.
    """
    found: dict[str, None] = {}
    for match in _TOKEN.finditer(unicodedata.normalize("NFKC", text).lower()):
        if match[1]:
            run = match[1]
            found.update(dict.fromkeys([run[i:i + 2] for i in range(len(run) - 1)] if len(run) > 1 else [run]))
        else:
            found.update(dict.fromkeys(_compound(match[2])))
    kept = [term for term in found if term not in _STOP]
    return kept or list(found)


def kind(text: str) -> Literal["question", "terms", "names"]:
    """Tell what a query is: "terms" are few words and none of them a stop word, "names" such of which one at least is
    not in the dictionary, like codes and commands.
    """
    words = list(_TOKEN.finditer(unicodedata.normalize("NFKC", text).lower()))
    chinese = sum(len(match[1]) for match in words if match[1])
    if len(words) > 4 or chinese > 4 or any(match[0] in _STOP for match in words):
        return "question"
    found, length = translations(text)
    return "terms" if sum(size for size, _ in found) >= length else "names"


def _compound(word: str) -> list[str]:
    if word.isalpha():
        return [word]
    parts = [part for part in _MARKS.split(word) if part]
    out = parts if len(parts) == 1 else [*parts, "".join(parts)]
    if word.endswith("++"):
        out = [*out, parts[-1] + "plusplus"]
    elif word.endswith("#"):
        out = [*out, parts[-1] + "sharp"]
    for part in parts:
        if not (part.isalpha() or part.isdigit()):
            pieces = _MIXED.findall(part)
            if len(pieces) > 1:
                out = [*out, *(piece for piece in pieces if len(piece) > 1)]
    return [part[:64] for part in out]


def mark(dataset_id: str) -> str:
    """Return the token that restricts a search to one knowledge base."""
    return "ds" + dataset_id.replace("-", "") + "x"


def prepare(text: str):
    """Return what `add` stores for a text (computed outside the transaction)."""
    found = tokens(text)
    if db.dialect() == "sqlite":
        return " ".join(found)
    counts = Counter(map(_indexed, found))
    return list(counts), [min(count, 32767) for count in counts.values()], len(found)


def add(tx: Connection, dataset_id: str, rows: list[tuple[int, object]]) -> None:
    """Insert (serial, prepared text) rows into the index."""
    if not rows:
        return
    if db.dialect() == "sqlite":
        base = mark(dataset_id)
        tx.exec_driver_sql("INSERT INTO knowledge_fts(rowid, tokens, base) VALUES(?, ?, ?)",
                           [(serial, prepared, base) for serial, prepared in rows])
    else:
        tx.exec_driver_sql(
            "INSERT INTO knowledge_fts(serial, dataset_id, terms, counts, length) VALUES(%s, %s, %s, %s, "
            "%s) "
            "ON CONFLICT (serial) DO "
            "NOTHING", [(serial, dataset_id, *prepared) for serial, prepared in rows])


def remove(tx: Connection, serials: list[int]) -> None:
    """Delete rows and their terms."""
    if not serials:
        return
    if db.dialect() == "sqlite":
        tx.exec_driver_sql("DELETE FROM knowledge_fts WHERE rowid = ?", [(serial,) for serial in serials])
    else:
        tx.exec_driver_sql("DELETE FROM knowledge_fts WHERE serial = ANY(%s)", (serials,))


def search(tx: Connection, dataset_ids: list[str], query: str, limit: int) -> list[tuple[int, float]]:
    """Return (serial, score) of the best rows, best first.

    The score is BM25 in parts of the question's weight: about 1 where all its words are there once, up to 2.2 where
    they abound, near 0 where only some unimportant ones are.
    """
    terms = query_terms(query)[:_MAX_TERMS * 2]
    if not terms or not dataset_ids:
        return []
    _forget_if_grown(tx)
    counts = _frequencies(tx, terms)
    chosen = _rare(counts)
    if not chosen:
        return []
    rows_of_index = _size(tx)
    weight = sum(_idf(rows_of_index, count) for count in counts.values())
    if db.dialect() == "sqlite":
        rows = _best(tx, dataset_ids, chosen, rows_of_index, limit)
    else:
        rows = _search_postgresql(tx, dataset_ids, chosen, rows_of_index, limit)
    return [(serial, score / max(weight, 1e-6)) for serial, score in rows]


def rank_all(tx: Connection, dataset_id: str) -> None:
    """Rank every row of a base, in SQLite: what ranking needs of one may be damaged."""
    db.rows(tx, "SELECT max(rank) FROM knowledge_fts WHERE knowledge_fts MATCH ?", (f"base : {mark(dataset_id)}",))


def translated(tx: Connection, dataset_ids: list[str], query: str, limit: int) -> list[tuple[int, float]]:
    """Return (serial, score) of the best rows by what the question's words are called otherwise.

    A word counts once, whichever of its other names are there. The score is in parts of the question's weight, as that
    of `search`: words that the dictionary or the index does not know count as much as the others.
    """
    found, length = translations(query)
    if not found or not dataset_ids:
        return []
    _forget_if_grown(tx)
    counts = _frequencies(tx, list({term for _, others in found for phrase in others for term in phrase}))
    size = _size(tx)
    weighed = []
    for share, others in found:
        known = [phrase for phrase in others if all(counts[term] for term in phrase)]
        if known:
            rows = sum(min(counts[term] for term in phrase) for phrase in known)
            weighed.append((min(rows, size), share, known))
    weighed.sort(key=lambda item: item[0])
    within, part = _within(tx, dataset_ids, size)
    scores: dict[int, float] = {}
    total = known_length = 0.0
    walked = 0
    for rows, share, known in weighed:
        weight = _idf(size, rows)
        total += weight
        known_length += share
        walked += rows
        if walked > (_MAX_TRANSLATED if scores else _MAX_DOCUMENTS):
            continue
        for serial, score in _any_of(tx, within, dataset_ids, known, size, counts):
            scores[serial] = scores.get(serial, 0.0) + min(score, weight * _ENOUGH)
    best = sorted(scores.items(), key=itemgetter(1), reverse=True)
    if part < 1:
        best = _of_bases(tx, dataset_ids, best, limit, part)
    share = min(known_length / max(length, 1.0), 1.0) / max(total, 1e-6)
    return [(serial, score * share) for serial, score in best[:limit]]


@lru_cache(maxsize=64)  # a question's are asked for more than once
def translations(text: str) -> tuple[list[tuple[float, list[tuple[str, ...]]]], float]:
    """Return for each word of a text that the dictionary knows its length and what it may be called otherwise (the
    terms of each in order); and the length of the text. Two Chinese characters are as long as a word.
    """
    out: list[tuple[float, list[tuple[str, ...]]]] = []
    length = 0.0
    words: list[str] = []
    for match in [*_TOKEN.finditer(unicodedata.normalize("NFKC", text).lower()), None]:
        if match is not None and not match[1]:
            words.append(match[2])
            continue
        out += [(float(size), list(map(_phrase, others)))
                for size, others in bilingual.words([stem(word) for word in words], bilingual.ENGLISH)]
        length += sum(word not in _STOP for word in words)
        words = []
        if match is not None:
            out += [(size / 2, list(map(_phrase, others)))
                    for size, others in bilingual.words(list(match[1]), bilingual.CHINESE)]
            length += len(match[1]) / 2
    return out, length


def is_stop_word(word: str) -> bool:
    """Tell whether a word carries no meaning in a question."""
    return word in _STOP


def _phrase(word: str) -> tuple[str, ...]:
    """Return the terms that stand one after the other where a word of the dictionary stands."""
    return tuple(word.split()) if word.isascii() else tuple(word[i:i + 2] for i in range(len(word) - 1))


def _within(tx: Connection, dataset_ids: list[str], size: int) -> tuple[str, float]:
    """Return FTS5's expression for rows of some bases, "" where others are to be taken out of what is found
    (`_of_bases`); and which part of the index's `size` rows is theirs then.
    """
    # Where the question is for all bases there are, walking through every row's mark is for nothing.
    if db.dialect() != "sqlite" or db.rows(tx, "SELECT count(*) FROM datasets")[0][0] <= len(dataset_ids):
        return "", 1.0
    marks = list(map(mark, dataset_ids))
    rows = sum(_frequencies(tx, marks).values())
    if rows > _LARGE and rows > size * _LARGE_PART:
        # bm25() counts the rows of all it is asked for, those of a mark as well: that takes longer than to rank what
        # other bases have.
        return "", min(rows / size, 0.99)
    return f" AND (base : ({' OR '.join(marks)}))", 1.0


def _of_bases(tx: Connection, dataset_ids: list[str], ranked: list[tuple[int, float]], limit: int, part: float
              ) -> list[tuple[int, float]]:
    """Return the first of the rows that belong to some bases, which about a part of them does."""
    bases, step, kept = ", ".join("?" * len(dataset_ids)), int(limit / part) + 10, []
    for at in range(0, len(ranked), step):
        some = ranked[at:at + step]
        own = {serial for serial, in db.rows(
            tx, f"SELECT serial FROM knowledge_units WHERE +dataset_id IN ({bases}) "
                f"AND serial IN ({', '.join(str(serial) for serial, _ in some)})", tuple(dataset_ids))}
        kept += [row for row in some if row[0] in own]
        if len(kept) >= limit:
            break
    return kept[:limit]


def _best(tx: Connection, dataset_ids: list[str], terms: Iterable[str], size: int, limit: int
          ) -> list[tuple[int, float]]:
    """Return (serial, BM25) of the best rows with any of the terms, in SQLite."""
    within, part = _within(tx, dataset_ids, size)
    sql, most = f"{_RANKED} ORDER BY +rank LIMIT ?", limit if part == 1 else int(limit / part * 1.5) + 10
    while True:
        found = rows = db.rows(tx, sql, (_any(terms, within), most))
        if part < 1:
            rows = _of_bases(tx, dataset_ids, found, limit, part)
        if len(rows) == limit or len(found) < most:
            return rows
        most *= 8


def _any(phrases: Iterable[str], within: str) -> str:
    """Return FTS5's expression for rows with any of the phrases (terms with blanks between)."""
    return "(tokens : ({})){}".format(" OR ".join(f'"{phrase}"' for phrase in phrases), within)


def _any_of(tx: Connection, within: str, dataset_ids: list[str], phrases: list[tuple[str, ...]], size: int,
            counts: dict[str, int]) -> list[tuple[int, float]]:
    """Return (serial, BM25) of the rows with any of the phrases."""
    if db.dialect() == "sqlite":
        return db.rows(tx, _RANKED, (_any(map(" ".join, phrases), within),))
    # PostgreSQL keeps no places: the words of a phrase may stand apart.
    terms = {term: counts[term] for phrase in phrases for term in phrase}
    return _search_postgresql(tx, dataset_ids, terms, size, _MAX_DOCUMENTS, phrases)


def _idf(rows: int, count: int) -> float:
    """Return the weight of a term that is in `count` of `rows` rows, as FTS5 computes it."""
    if not count:  # a word no text has may be a mistake: it does not count in full
        return 0.8 * math.log(2 * rows + 1)
    rows = max(rows, count)  # the two are remembered at different moments while the index grows
    return max(math.log((rows - count + 0.5) / (count + 0.5)), 1e-6)


def _forget_if_grown(tx: Connection) -> None:
    """Have all counted anew if many rows came since: words that were rare would have several times as many ranked."""
    global _rows, _counted
    last = db.rows(tx, "SELECT max(serial) FROM knowledge_units")[0][0] or 0
    if abs(last - _counted) > _rows[1] * _GROWN:
        _frequency.clear()
        _rows, _counted = (0.0, 0), last


def _size(tx: Connection) -> int:
    """Return the number of rows of the index, as it was within the last minute."""
    global _rows
    if _rows[0] < time.monotonic():
        table = "knowledge_fts_docsize" if db.dialect() == "sqlite" else "knowledge_fts"
        count = db.rows(tx, f"SELECT count(*) FROM {table}")[0][0]
        _rows = (time.monotonic() + (_FREQUENCY_SECONDS if count > 1000 else 1), count)
    return _rows[1]


def _frequencies(tx: Connection, terms: list[str]) -> dict[str, int]:
    """Return the number of rows of each term, of frequent ones as it was within the last minute."""
    now = time.monotonic()
    missing = [term for term in terms if _frequency.get(term, (0, 0))[0] < now]
    if missing:
        if len(_frequency) > 20_000:
            _frequency.clear()
        for term, count in _count(tx, missing).items():
            _frequency[term] = (now + _FREQUENCY_SECONDS if count > 50 else now + 1, count)
    return {term: _frequency[term][1] if term in _frequency else 0 for term in terms}


def _rare(counts: dict[str, int]) -> dict[str, int]:
    """Return the terms that are in the index with their number of rows, rarest first, while they stay few."""
    found = sorted((count, term) for term, count in counts.items() if count)
    chosen: dict[str, int] = {}
    total = 0
    for count, term in found[:_MAX_TERMS]:
        if chosen and total + count > _MAX_DOCUMENTS:
            break
        chosen[term] = count
        total += count
    return chosen


def _count(tx: Connection, terms: list[str]) -> dict[str, int]:
    if db.dialect() == "sqlite":
        # The vocabulary holds stems; FTS5 stems the query, the vocabulary table does not.
        stems = {term: _indexed(term) for term in terms}
        wanted = list(set(stems.values()))
        places = ", ".join("?" * len(wanted))
        known = dict(db.rows(tx, f"SELECT term, doc FROM knowledge_terms WHERE term IN ({places})", tuple(wanted)))
        return {term: known.get(name, 0) for term, name in stems.items()}
    names = {term: _indexed(term) for term in terms}
    known = dict(db.rows(
        tx, "SELECT t, (SELECT count(*) FROM knowledge_fts WHERE terms @> ARRAY[t]) FROM unnest(%s::text[]) AS t",
        (list(set(names.values())),)))
    return {term: known[name] for term, name in names.items()}


def _search_postgresql(tx, dataset_ids, chosen: dict[str, int], size: int, limit: int,
                       phrases: list[tuple[str, ...]] | None = None) -> list[tuple[int, float]]:
    rows = db.rows(
        tx, "SELECT serial, terms, counts, length FROM knowledge_fts WHERE dataset_id = ANY(%s) AND terms && "
        "%s::text[] LIMIT %s", (dataset_ids, list({_indexed(term) for term in chosen}), _MAX_DOCUMENTS))
    if not rows:
        return []
    mean = float(db.rows(tx, "SELECT avg(length) FROM knowledge_fts")[0][0] or 1)
    wanted = [([_indexed(term) for term in phrase], _idf(size, min(chosen[term] for term in phrase)))
              for phrase in phrases or [(term,) for term in chosen]]
    scored = []
    for serial, terms, counts, length in rows:
        have = dict(zip(terms, counts, strict=True))
        score = 0.0
        for phrase, weight in wanted:
            times = min(have.get(term, 0) for term in phrase)
            score += weight * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / mean))
        if score:
            scored.append((serial, score))
    scored.sort(key=lambda item: -item[1])
    return scored[:limit]


def stem_rows() -> int:
    """Make the rows of a PostgreSQL index that was made without stems anew, and return their number.

    Run by `sparrow migrate`, before anybody searches; all or none, so that it may be ended at any point.
    """
    if db.dialect() == "sqlite":
        return 0
    marked, done, after = settings_table.c.name == "keyword_rows", 0, -1
    with db.write() as tx:
        if tx.execute(settings_table.select().where(marked)).first() is None:
            return 0
        while rows := tx.exec_driver_sql(
                "SELECT serial, terms, counts FROM knowledge_fts WHERE serial > %s ORDER BY serial LIMIT 1000",
                (after,)).all():
            after = rows[-1][0]
            done += len(rows)
            changed = []
            for serial, terms, counts in rows:
                found: Counter[str] = Counter()
                for term, count in zip(terms, counts, strict=True):
                    found[_indexed(term)] += count
                changed.append((list(found), [min(count, 32767) for count in found.values()], serial))
            tx.exec_driver_sql("UPDATE knowledge_fts SET terms = %s, counts = %s WHERE serial = %s", changed)
        tx.execute(settings_table.delete().where(marked))
    return done


def _indexed(term: str) -> str:
    """Return a token as FTS5 indexes it: without the diacritics of Latin letters, as its stem."""
    if not term.isascii():
        letters = (unicodedata.normalize("NFD", letter)[0] for letter in term)
        term = "".join(plain if plain.isascii() else letter for plain, letter in zip(letters, term, strict=True))
    return stem(term)


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return FTS5's stem of a token (its porter tokenizer leaves other scripts and numbers alone)."""
    if not word.isascii() or len(word) < 3:
        return word
    from .stemmer import porter

    return porter(word)


def highlights(query: str, text: str, limit: int = 12) -> list[str]:
    """Return the parts of a passage that the query's words match, as they are written there."""
    return highlighter(query, limit)(text)


def highlighter(query: str, limit: int = 12) -> Callable[[str], list[str]]:
    """Return a function from a passage to the parts of it that the query's words match."""
    stems = {stem(term) for term in query_terms(query)}
    beginnings = {name[:2] for name in stems}  # which stemming leaves: most words of a text are known by them
    known: dict[str, bool] = {}

    def matches(word: str) -> bool:
        if word not in known:
            known[word] = (word[:2] in beginnings or not word.isalpha()) and any(
                stem(part) in stems for part in _compound(word))
        return known[word]

    def marks(text: str) -> list[str]:
        found: dict[str, None] = {}
        for match in _TOKEN.finditer(text.lower()):
            if match[1]:
                run, at = match[1], 0
                while at < len(run) - 1:
                    end = at
                    while end < len(run) - 1 and run[end:end + 2] in stems:
                        end += 1
                    if end > at:
                        found[text[match.start() + at:match.start() + end + 1]] = None
                    at = max(end, at + 1)
            elif matches(match[2]):
                found[text[match.start():match.end()]] = None
            if len(found) >= limit:
                break
        return list(found)

    return marks
