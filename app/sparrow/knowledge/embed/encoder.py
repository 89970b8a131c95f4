"""The Universal Sentence Encoder (multilingual, version 3): token ids to unit vectors, in NumPy.

Architecture (Yang et al. 2019, "Multilingual Universal Sentence Encoder", and the arrays themselves): token
embeddings, three convolution branches of width 2, 3 and 5 with a residual each, a layer norm, the sum over tokens
scaled by 1/sqrt(n), and a residual feed-forward network with tanh. All texts of a batch are one long matrix of
tokens; windows that would reach into a neighbour read a row of zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from .arrays import Rows

DIMENSION = 512
_BRANCH = 256
_WIDTHS = ((2, 0), (3, 1), (5, 2))  # (tokens a window covers, tokens of it to the left)
_BATCH_TOKENS = 768  # rows of a batch: about 8 MB of work space, and no faster beyond
_KEPT_TOKENS, _KEPT = 64, 4  # work space that is kept between questions: tokens, and how many of them
MAX_TOKENS = 1024  # of one text; what follows changes the mean of so many tokens little


class _Space:
    """Arrays that a pass works in, for so many tokens. A pass that asked the system for them each time would spend a
    third of its time on pages that come and go."""

    def __init__(self, tokens: int):
        import numpy as np

        def rows(width: int, more: int = 0):
            return np.empty((tokens + more, width), dtype=np.float32)

        self.tokens = tokens
        self.codes = np.empty((tokens, DIMENSION), dtype=np.uint8)
        self.embedding, self.projected = rows(DIMENSION), rows(3 * _BRANCH)
        self.embeddings, self.parts = rows(DIMENSION), rows(3 * _BRANCH)
        self.padded, self.window = rows(_BRANCH, 1), rows(_WIDTHS[-1][0] * _BRANCH)
        self.layers = rows(_BRANCH), rows(_BRANCH)
        self.features = rows(DIMENSION + 3 * _BRANCH)


class Encoder:
    """Holds the weights; `encode` may be called by several threads at once."""

    def __init__(self, arrays: dict[str, np.ndarray | Rows], facts: dict):
        self._a = arrays
        self._chunks = int(facts["chunks"])
        self._eps = float(facts["eps"])
        self._spaces: list[_Space] = []  # for questions; what passages need is given back

    def encode(self, batch: list[list[int]]) -> np.ndarray:
        """Return a float32 array (texts, 512) of unit vectors."""
        import numpy as np

        out = np.empty((len(batch), DIMENSION), dtype=np.float32)
        groups: list[list[int]] = []
        tokens = most = 0
        for index, ids in enumerate(batch):
            if len(ids) > MAX_TOKENS:
                ids = batch[index] = [*ids[: MAX_TOKENS - 1], ids[-1]]
            if not groups or tokens + len(ids) > _BATCH_TOKENS:
                groups.append([])
                tokens = 0
            groups[-1].append(index)
            tokens += len(ids)
            most = max(most, tokens)
        try:
            space = self._spaces.pop() if most <= _KEPT_TOKENS else _Space(most)
        except IndexError:
            space = _Space(_KEPT_TOKENS)
        for group in groups:
            out[group] = self._pass([batch[i] for i in group], space)
        if space.tokens == _KEPT_TOKENS and len(self._spaces) < _KEPT:
            self._spaces.append(space)
        return out

    def _pass(self, batch: list[list[int]], space: _Space) -> np.ndarray:
        import numpy as np

        a = self._a
        flat = np.array([token for ids in batch for token in ids], dtype=np.int64)
        lengths = np.array([len(ids) for ids in batch], dtype=np.int64)
        starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        count = len(flat)
        # A token's embedding and its projection do not depend on its neighbours: each once.
        unique, where = np.unique(flat, return_inverse=True)
        chunk = unique % self._chunks
        embedding, projected = space.embedding[:len(unique)], space.projected[:len(unique)]
        codes = a["table"].take(unique, space.codes)
        np.multiply(codes, a["scale"][chunk, None], out=embedding)
        embedding += a["low"][chunk, None]
        np.matmul(embedding, a["projection"], out=projected)
        projected += a["projection_bias"]
        _normal(projected, a["branch_gain"], a["branch_shift"], self._eps)

        features = space.features[:count]
        features[:, :DIMENSION] = _rows(embedding, where, space.embeddings)
        parts = _rows(projected, where, space.parts)
        window = self._windows(starts, lengths, count)
        padded = space.padded[:count + 1]
        padded[count] = 0
        for number, (width, left) in enumerate(_WIDTHS):
            columns = window[:, 2 - left: 2 - left + width].ravel()
            part = parts[:, number * _BRANCH:(number + 1) * _BRANCH]
            near = space.window.reshape(-1, _BRANCH)
            for layer, room in zip(("first", "second"), space.layers, strict=True):
                padded[:count] = part
                hidden = room[:count]
                np.matmul(_rows(padded, columns, near).reshape(count, width * _BRANCH), a[f"{layer}{width}"],
                          out=hidden)
                hidden += a[f"{layer}_bias{width}"]
                np.maximum(hidden, 0, out=hidden)
                hidden += part
                part = hidden
            offset = DIMENSION + number * _BRANCH
            features[:, offset:offset + _BRANCH] = part
        _normal(features, a["gain"], a["shift"], self._eps)
        # The sum over tokens commutes with the linear layer after it: one row a text instead of one a token.
        total = np.add.reduceat(features, starts, axis=0) @ a["pool"]
        sizes = lengths.astype(np.float32)[:, None]
        total = (total + sizes * a["pool_bias"]) / np.sqrt(sizes)
        first = np.maximum(total @ a["dense0"], 0)
        second = np.maximum(total @ a["skip1"] + first @ a["dense1"], 0)
        third = np.maximum(second @ a["dense2"], 0)
        result = np.tanh(second @ a["skip3"] + third @ a["dense3"])
        result /= np.sqrt(np.maximum((result * result).sum(axis=1, keepdims=True), self._eps))
        return result

    @staticmethod
    def _windows(starts, lengths, count: int):
        """Return for each token the positions from two before to two after it, `count` where outside its text."""
        import numpy as np

        positions = np.arange(count)[:, None] + np.arange(-2, 3)
        low = np.repeat(starts, lengths)[:, None]
        high = np.repeat(starts + lengths, lengths)[:, None]
        return np.where((positions >= low) & (positions < high), positions, count)


def _rows(source, numbers, room):
    """Return the rows of an array by number, in the beginning of another one."""
    import numpy as np

    return np.take(source, numbers, axis=0, out=room[:len(numbers)], mode="clip")


def _normal(rows, gain, shift, eps: float) -> None:
    """Bring each row to mean 0 and spread 1, then to the layer's own; in place."""
    import numpy as np

    rows -= rows.mean(axis=1, keepdims=True)
    spread = np.einsum("ij,ij->i", rows, rows) / rows.shape[1]
    rows /= np.sqrt(spread + eps)[:, None]
    rows *= gain
    rows += shift
