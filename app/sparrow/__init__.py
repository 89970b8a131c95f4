"""Sparrow: a small, complete, Dify-compatible builder of LLM applications.

The rooms of this package and what may import what are a contract in pyproject.toml.
"""

__version__ = "0.1.0"
