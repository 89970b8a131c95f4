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

DIMENSION = 512
_BRANCH = 256
_WIDTHS = ((2, 0), (3, 1), (5, 2))  # (tokens a window covers, tokens of it to the left)
_BATCH_TOKENS = 768  # rows of a batch: about 8 MB of work space, and no faster beyond
MAX_TOKENS = 1024  # of one text; what follows changes the mean of so many tokens little


class Encoder:
    """Holds mapped weights; `encode` may be called by several threads at once."""

    def __init__(self, arrays: dict[str, np.ndarray], facts: dict):
        self._a = arrays
        self._chunks = int(facts["chunks"])
        self._eps = float(facts["eps"])

    def encode(self, batch: list[list[int]]) -> np.ndarray:
        """Return a float32 array (texts, 512) of unit vectors."""
        import numpy as np

        out = np.empty((len(batch), DIMENSION), dtype=np.float32)
        # Texts of one length share a pass: what they need of scratch space is then known and even.
        group: list[int] = []
        tokens = 0
        for index, ids in enumerate(batch):
            if len(ids) > MAX_TOKENS:
                ids = batch[index] = [*ids[: MAX_TOKENS - 1], ids[-1]]
            if group and tokens + len(ids) > _BATCH_TOKENS:
                out[group] = self._pass([batch[i] for i in group])
                group, tokens = [], 0
            group.append(index)
            tokens += len(ids)
        if group:
            out[group] = self._pass([batch[i] for i in group])
        return out

    def _pass(self, batch: list[list[int]]) -> np.ndarray:
        import numpy as np

        a = self._a
        flat = np.array([token for ids in batch for token in ids], dtype=np.int64)
        lengths = np.array([len(ids) for ids in batch], dtype=np.int64)
        starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        count = len(flat)
        # A token's embedding and its projection do not depend on its neighbours: each once.
        unique, where = np.unique(flat, return_inverse=True)
        chunk = unique % self._chunks
        embedding = a["table"][unique].astype(np.float32)
        embedding *= a["scale"][chunk, None]
        embedding += a["low"][chunk, None]
        projected = embedding @ a["projection"]
        projected += a["projection_bias"]
        projected = _normal(projected, a["branch_gain"], a["branch_shift"], self._eps)

        features = np.empty((count, DIMENSION + 3 * _BRANCH), dtype=np.float32)
        features[:, :DIMENSION] = embedding[where]
        window = self._windows(starts, lengths, count)
        padded = np.zeros((count + 1, _BRANCH), dtype=np.float32)
        for number, (width, left) in enumerate(_WIDTHS):
            columns = window[:, 2 - left: 2 - left + width]
            part = projected[:, number * _BRANCH:(number + 1) * _BRANCH][where]
            for layer in ("first", "second"):
                padded[:count] = part
                hidden = padded[columns].reshape(count, width * _BRANCH) @ a[f"{layer}{width}"]
                hidden += a[f"{layer}_bias{width}"]
                np.maximum(hidden, 0, out=hidden)
                hidden += part
                part = hidden
            offset = DIMENSION + number * _BRANCH
            features[:, offset:offset + _BRANCH] = part
        features = _normal(features, a["gain"], a["shift"], self._eps)
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


def _normal(rows, gain, shift, eps: float):
    import numpy as np

    rows -= rows.mean(axis=1, keepdims=True)
    spread = np.einsum("ij,ij->i", rows, rows) / rows.shape[1]
    rows /= np.sqrt(spread + eps)[:, None]
    rows *= gain
    rows += shift
    return rows
