"""The embedded model: where it is, and one lazily loaded instance a process."""

from __future__ import annotations

import fcntl
import functools
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sparrow import settings
from sparrow.errors import Unavailable

from ..chunk import TITLE_END

if TYPE_CHECKING:
    import numpy as np

PROVIDER = "sparrow"
MODEL = "use-multilingual-v3"
DIMENSION = 512
ADAPTER = "query.npy"
TITLE_SHARE = 0.3  # chosen, as the shares in retrieve.search, on the tuning half of tests/knowledge/quality
# Cosines of unrelated texts are about 0, of a question and its answer about 0.5.
COSINE_LOW, COSINE_HIGH = 0.0, 0.5

_lock = threading.Lock()
_model: tuple | None = None


def folder() -> Path:
    """Return the folder of the converted model, converting it into a cache first where no image has brought it."""
    given = os.environ.get("SPARROW_MODEL_DIR")
    places = [Path(given)] if given else []
    places.append(settings.get().home_dir / "models" / MODEL)
    places.append(Path("/usr/share/sparrow/models") / MODEL)
    for place in places:
        if (place / "model.json").is_file():
            return place
    return _converted(settings.cache_dir() / MODEL)


def _converted(place: Path) -> Path:
    if not (place / "model.json").is_file():
        from .convert import convert

        place.parent.mkdir(parents=True, exist_ok=True)
        with open(place.with_name(MODEL + ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                convert(place)
            except (RuntimeError, OSError) as error:
                raise Unavailable(f"The embedded model cannot be prepared: {error}") from error
    return place


def encode(texts: list[str]) -> np.ndarray:
    """Return a float32 array (texts, 512) of unit vectors."""
    tokenizer, encoder = _load()
    return encoder.encode(tokenizer.encode(texts))


def encode_queries(texts: list[str]) -> np.ndarray:
    """Return a float32 array (texts, 512) of unit vectors of questions, for comparison with those of passages.

    The model was trained on sentences that mean the same; a question and a passage that answers it are turned towards
    each other by a linear map. tests/knowledge/quality/train_adapter.py made it. Passages' vectors do not need it.
    """
    import numpy as np

    vectors = encode(texts)
    give, take = _adapter()
    vectors += (vectors @ give) @ take.T
    return vectors / np.sqrt(np.maximum((vectors * vectors).sum(axis=1, keepdims=True), 1e-12))


def encode_passages(texts: list[str]) -> np.ndarray:
    """Return the vectors of texts of `chunk.context`: each the sum of its passage's and its title's.

    In one vector of a long passage the few words of a title are lost, and they say best what it is about.
    """
    import numpy as np

    parts = [text.rpartition(TITLE_END) for text in texts]
    titles = list(dict.fromkeys(title for title, _, _ in parts if title))
    bodies = encode([body for _, _, body in parts])
    if not titles:
        return bodies
    weights = dict(zip(titles, encode(titles) * TITLE_SHARE, strict=True))
    for row, (title, _, _) in zip(bodies, parts, strict=True):
        if title:
            row *= 1 - TITLE_SHARE
            row += weights[title]
            row /= np.sqrt(row @ row)
    return bodies


def warm() -> None:
    """Load the model now, so that the first question does not wait for it."""
    encode_queries(["ready"])


@functools.cache
def _adapter() -> np.ndarray:
    """Return the two factors of what is added to questions' vectors, (2, 512, rank)."""
    import numpy as np

    return np.load(Path(__file__).with_name(ADAPTER)).astype(np.float32)


def _load():
    global _model
    if _model is None:
        with _lock:
            if _model is None:
                from . import arrays
                from .encoder import Encoder
                from .tokenizer import Tokenizer

                try:
                    mapped, facts = arrays.load(folder())
                except (OSError, ValueError, KeyError) as error:
                    raise Unavailable(f"The embedded model cannot be loaded: {error}") from error
                _model = Tokenizer(mapped), Encoder(mapped, facts)
    return _model
