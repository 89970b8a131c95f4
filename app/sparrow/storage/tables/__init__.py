"""All tables, one module a subject, on one metadata. Importing this package imports them all."""

import importlib
import pkgutil

from .metadata import metadata

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["metadata"]
