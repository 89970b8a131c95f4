"""Text to vectors: the embedded multilingual model, or an embedding model of a provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from sparrow.errors import BadRequest

from .. import patience
from ..chunk import TITLE_END
from . import builtin

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["document", "query"]
_BUILTIN_NAMES = ("", builtin.PROVIDER, "local", "builtin")


class EmbedderError(BadRequest):
    """The embedding model failed or answered nonsense; the message says which and how."""

    code = "embedding_failed"
    busy: float | None = None  # where it may work soon: the seconds that the provider asks to wait, 0 if it says none


class Embedder(msgspec.Struct, frozen=True):
    """Names an embedding model. `key` is its name among stored vectors."""

    provider: str = builtin.PROVIDER
    model: str = builtin.MODEL

    @property
    def key(self) -> str:
        """Return provider/model."""
        return f"{self.provider}/{self.model}"[:255]

    @property
    def builtin(self) -> bool:
        """Tell whether this is the model that ships with the box."""
        return self.provider == builtin.PROVIDER

    def encode(self, texts: list[str], kind: Kind = "document") -> np.ndarray:
        """Return a float32 array (texts, dimension) of unit vectors; raise EmbedderError.

        Documents are texts of `chunk.context`.
        """
        import numpy as np

        if not texts:
            return np.empty((0, 0), dtype=np.float32)
        if self.builtin:
            return builtin.encode_passages(texts) if kind == "document" else builtin.encode_queries(texts)
        vectors = self._remote([text.rpartition(TITLE_END)[2] for text in texts], kind)
        try:
            array = np.asarray(vectors, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise EmbedderError(f"The embedding model {self.model} returned vectors of different lengths.") from error
        if array.ndim != 2 or len(array) != len(texts) or array.shape[1] == 0:
            raise EmbedderError(f"The embedding model {self.model} returned {len(vectors)} vectors for "
                                f"{len(texts)} texts.")
        if not np.isfinite(array).all():
            raise EmbedderError(f"The embedding model {self.model} returned numbers that are not finite (NaN).")
        norms = np.linalg.norm(array, axis=1, keepdims=True)
        return array / np.where(norms > 1e-12, norms, 1.0)

    def encode_patiently(self, texts: list[str], rest: Callable[[float], None]) -> np.ndarray:
        """Do as `encode` for a job, which has time: where the provider is busy, `rest` some seconds and try again."""
        return patience.patiently(lambda: self.encode(texts), rest)

    def _remote(self, texts: list[str], kind: Kind) -> list[list[float]]:
        from sparrow.messages import ModelError, ModelNotConfiguredError, ModelRef
        from sparrow.providers import vectors
        from sparrow.providers.store import hub

        try:
            return vectors.embed(hub(), ModelRef(self.provider, self.model), texts)
        except ModelError as error:
            failed = EmbedderError(
                f"The embedding model {self.model} of {self.provider} failed: {str(error).rstrip('.')}. "
                "Check the provider on the Models page.",
                code="provider_not_initialize" if isinstance(error, ModelNotConfiguredError) else None)
            failed.busy = patience.busy(error)
            raise failed from error


def embedder(provider: str | None, model: str | None) -> Embedder:
    """Return the embedder of a knowledge base's settings; empty settings mean the embedded model."""
    provider, model = provider or "", model or ""
    if provider in _BUILTIN_NAMES and model in ("", builtin.MODEL):
        return Embedder()
    if not model:
        raise BadRequest("embedding_model is missing.", params="embedding_model")
    return Embedder(provider, model)


def embed(provider: str, model: str, texts: list[str]) -> np.ndarray:
    """Return the unit vectors of texts by a provider's model; without names, by the embedded one."""
    return embedder(provider, model).encode(texts)
