"""SentencePiece unigram segmentation over memory-mapped tables.

The vocabulary is a sorted table of 64-bit hashes of every piece and every beginning of a piece. All positions of
all texts of a batch walk it at once in NumPy; only the choice of the best path is a loop. No table of strings
is ever built, so a process that tokenizes needs no memory of its own beyond the text.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BASE = 0x9E3779B97F4A7C15 | 1
SPACE = "\u2581"
UNK, BOS, EOS = 0, 1, 2
_WORDS = 30_000  # remembered segmentations of words


class Tokenizer:
    """Turns texts into piece ids; equal to SentencePiece's own for this model (tested)."""

    def __init__(self, arrays: dict[str, np.ndarray]):
        self._hashes = arrays["tokenizer_hashes"]
        self._ids = arrays["tokenizer_ids"]  # piece id + 1, 0 for a mere beginning
        self._scores = arrays["tokenizer_scores"]
        self._unknown = float(arrays["tokenizer_unknown_score"])
        exceptions = arrays["normalizer"].tobytes().decode("utf-8")
        self._special = {ord(entry[0]): entry[1:] for entry in exceptions.split("\0") if entry}
        self._words: dict[str, list[int]] = {}

    def normalize(self, text: str) -> str:
        """Return the text as the model was trained on it: NFKC with the model's exceptions, blanks marked."""
        text = unicodedata.normalize("NFKC", text.translate(self._special))
        return "".join(SPACE + word for word in text.split(" ") if word)

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of each text between the begin and end marks."""
        split = [[SPACE + word for word in self.normalize(text).split(SPACE) if word] for text in texts]
        words = self._words
        missing = list(dict.fromkeys(word for parts in split for word in parts if word not in words))
        fresh = dict(zip(missing, self._segment(missing), strict=True)) if missing else {}
        out = []
        for parts in split:
            ids = [BOS]
            for word in parts:
                ids += words.get(word) or fresh[word]
            if len(ids) == 1:
                ids.append(UNK)
            ids.append(EOS)
            out.append(ids)
        if len(words) + len(fresh) > _WORDS:
            words.clear()
        words.update((word, ids) for word, ids in fresh.items() if len(word) <= 16)
        return out

    def _segment(self, words: list[str]) -> list[list[int]]:
        """Return the best segmentation of each word; a piece never reaches over a blank."""
        import numpy as np

        joined = "".join(words)
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
        lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
        ends = np.repeat(np.cumsum(lengths), lengths)
        # found[i]: the pieces that begin at position i, as (length, id), shortest first.
        found: list[list[tuple[int, int]]] = [[] for _ in range(len(joined))]
        position = np.arange(len(joined))
        value = np.zeros(len(joined), dtype=np.uint64)
        base = np.uint64(BASE)
        length = 0
        while len(position):
            value = value * base + codes[position + length] + np.uint64(1)
            length += 1
            slot = np.searchsorted(self._hashes, value)
            slot[slot == len(self._hashes)] = 0
            known = self._hashes[slot] == value
            position, value, slot = position[known], value[known], slot[known]
            ids = self._ids[slot]
            whole = ids > 0
            for at, piece in zip(position[whole].tolist(), (ids[whole] - 1).tolist(), strict=True):
                found[at].append((length, piece))
            on = position + length < ends[position]
            position, value = position[on], value[on]
        scores = self._scores
        wanted = {piece for pieces in found for _, piece in pieces}
        order = sorted(wanted)
        score_of = dict(zip(order, scores[np.array(order, dtype=np.int64)].tolist(), strict=True)) if order else {}
        out, begin = [], 0
        for count in lengths.tolist():
            out.append(self._best(found, begin, count, score_of))
            begin += count
        return out

    def _best(self, found, begin: int, count: int, score_of: dict[int, float]) -> list[int]:
        best = [0.0] + [-1e38] * count
        back = [0] * (count + 1)
        piece_of = [UNK] * (count + 1)
        for at in range(count):
            score = best[at]
            single = False
            for length, piece in found[begin + at]:
                total = score + score_of[piece]
                end = at + length
                if length == 1:
                    single = True
                if total > best[end]:
                    best[end], back[end], piece_of[end] = total, at, piece
            if not single and score + self._unknown > best[at + 1]:
                best[at + 1], back[at + 1], piece_of[at + 1] = score + self._unknown, at, UNK
        ids, at = [], count
        while at:
            ids.append(piece_of[at])
            at = back[at]
        ids.reverse()
        return ids


def hashes_of(text: str) -> list[int]:
    """Return the hash of every beginning of a text, shortest first (as `_segment` computes them)."""
    out, value = [], 0
    for char in text:
        value = (value * BASE + ord(char) + 1) & 0xFFFFFFFFFFFFFFFF
        out.append(value)
    return out
