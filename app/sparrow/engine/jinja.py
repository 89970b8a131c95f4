"""Jinja2 for template nodes and prompts: sandboxed, and bounded in time, steps and size."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

from sparrow import clock
from sparrow.engine.values import jsonable

MAX_OUTPUT = 400_000
MAX_SECONDS = 5.0


class TemplateError(Exception):
    """A template could not be read or filled. The text ends as a failed sandbox call does in Dify."""

    error_type = "CodeExecutionError"


class _TooLong(Exception):
    """The text has grown over its limit."""


_deadline = threading.local()


def _tick() -> str:
    """Stop a template that has been running for too long; every loop body calls this first."""
    if clock.monotonic() > _deadline.at:
        raise TimeoutError(f"template took longer than {MAX_SECONDS:g} s")
    return ""


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Environment(ImmutableSandboxedEnvironment):
        """Refuses to build huge values, and counts time inside loops."""

        intercepted_binops = frozenset(("*", "**", "%"))

        def _parse(self, source: str, name: str | None, filename: str | None) -> Any:
            tree = super()._parse(source, name, filename)
            for loop in tree.find_all(nodes.For):
                call = nodes.Call(nodes.Name("__tick__", "load"), [], [], None, None)
                loop.body.insert(0, nodes.ExprStmt(call, lineno=loop.lineno))
            for macro in tree.find_all(nodes.Macro):
                call = nodes.Call(nodes.Name("__tick__", "load"), [], [], None, None)
                macro.body.insert(0, nodes.ExprStmt(call, lineno=macro.lineno))
            return tree

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if operator == "*":
                for thing, times in ((left, right), (right, left)):
                    sized = isinstance(thing, str | list | tuple | bytes) and isinstance(times, int)
                    if sized and len(thing) * times > MAX_OUTPUT:
                        raise OverflowError("value too large")
            elif operator == "**":
                if isinstance(right, int | float) and abs(right) > 1000:
                    raise OverflowError("exponent too large")
            elif isinstance(left, str):
                _check_widths(left)
            return super().call_binop(context, operator, left, right)

    environment = Environment()
    environment.globals["__tick__"] = _tick
    center, indent, formatter = (environment.filters[name] for name in ("center", "indent", "format"))

    def safe_center(value: str, width: int = 80) -> str:
        if width > MAX_OUTPUT:
            raise OverflowError("value too large")
        return center(value, width)

    def safe_indent(s: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
        size = width if isinstance(width, int) else len(width)
        if size * (str(s).count("\n") + 1) > MAX_OUTPUT:
            raise OverflowError("value too large")
        return indent(s, width, first, blank)

    def safe_format(value: str, *args: Any, **kwargs: Any) -> str:
        _check_widths(str(value))
        return formatter(value, *args, **kwargs)

    environment.filters.update(center=safe_center, indent=safe_indent, format=safe_format)
    return environment


def _check_widths(pattern: str) -> None:
    """Refuse `%999999999d` and its kin."""
    import re

    if re.search(r"%[^a-zA-Z%]*?(\d{6,}|\*)", pattern):
        raise OverflowError("field width too large")


@lru_cache(maxsize=512)
def _compiled(source: str) -> Any:
    return _environment().from_string(source)


def render(source: str, variables: dict[str, Any], *, limit: int = MAX_OUTPUT) -> str:
    """Fill a Jinja2 template; files are dictionaries in it. Raise TemplateError when it fails."""
    _deadline.at = clock.monotonic() + MAX_SECONDS
    pieces: list[str] = []
    size = 0
    try:
        template = _compiled(source)
        for piece in template.generate(jsonable(variables)):
            size += len(piece)
            if size > limit:
                raise _TooLong
            pieces.append(piece)
    except _TooLong:
        raise TemplateError(f"Output length exceeds {limit} characters") from None
    except RecursionError:
        raise TemplateError("RecursionError: template calls itself too deeply\nerror: exit status 1") from None
    except Exception as error:
        kind = type(error)
        name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        raise TemplateError(f"{name}: {error}\nerror: exit status 1") from None
    return "".join(pieces)
