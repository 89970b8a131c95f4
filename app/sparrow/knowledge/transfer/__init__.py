"""A whole knowledge base as one file: originals, passages, vectors, settings; between boxes, versions and databases."""

from .form import SUFFIX, TransferError
from .pack import export, size
from .unpack import inspect, load, run_job, state, stop, submit

__all__ = ["SUFFIX", "TransferError", "export", "inspect", "load", "run_job", "size", "state", "stop", "submit"]
