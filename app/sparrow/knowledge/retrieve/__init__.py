"""Questions to passages: vector, full text and hybrid search over any number of knowledge bases."""

from .search import Passage, retrieve
from .settings import RetrievalSettings

__all__ = ["Passage", "RetrievalSettings", "retrieve"]
