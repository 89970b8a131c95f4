"""The code node: the user's Python or JavaScript, its outputs checked as Dify checks them."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sparrow.engine.context import Context
from sparrow.engine.nodes.base import Node, NodeError, Result
from sparrow.engine.nodes.template_transform import gather
from sparrow.engine.ports import CodeLimits
from sparrow.engine.values import jsonable

_TEXT, _STRINGS, _OBJECTS, _NUMBERS, _DEPTH, _DIGITS = 400_000, 30, 30, 1000, 5, 20
_LIMIT = 2**63 - 1
_SCIENTIFIC = re.compile(r"-?\d+\.?\d*[eE][+-]\d+", re.ASCII)  # with a sign, as Dify has it


class CodeError(NodeError):
    """An output that is not as declared."""

    def __init__(self, message: str, error_type: str = "OutputValidationError"):
        super().__init__(message, error_type)


class Code(Node):
    """Calls `main` in the sandbox."""

    retries = True

    def run(self, context: Context) -> Result:
        """Return the declared outputs."""
        inputs = jsonable(gather(self.data.get("variables"), context))
        language = self.data.get("code_language") or "python3"
        runner = context.need("code")
        try:
            found = runner.run(language, str(self.data.get("code") or ""), inputs, CodeLimits(), context.cancel)
        except Exception as error:
            raise NodeError(str(error), getattr(error, "error_type", type(error).__name__), inputs=inputs) from None
        if not isinstance(found, dict):
            raise CodeError(f"Result must be a dict, got {type(found).__name__}")
        try:
            outputs = check(_numbers(found), self.data.get("outputs") or {})
        except CodeError as error:
            error.inputs = inputs
            raise
        return Result(outputs, inputs)


def _numbers(value: Any) -> Any:
    """Turn text in scientific notation into numbers, as Dify's sandbox protocol does."""
    if isinstance(value, str):
        return float(value) if _SCIENTIFIC.fullmatch(value) else value
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return value


def _string(value: Any, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise CodeError(f"Output {name} must be a string, got {type(value).__name__} instead.")
    if len(value) > _TEXT:
        raise CodeError(f"The length of output variable `{name}` must be less than {_TEXT} characters")
    return value.replace("\x00", "")


def _number(value: Any, name: str) -> int | float | None:
    if value is None:
        return None
    if not isinstance(value, int | float):
        raise CodeError(f"Output {name} is not a number, got {type(value)} instead.")
    if isinstance(value, bool):
        return int(value)
    if abs(value) > _LIMIT:
        raise CodeError(f"Output variable `{name}` is out of range, it must be between {-_LIMIT} and {_LIMIT}.")
    if isinstance(value, float):
        exponent = Decimal(str(value)).normalize().as_tuple().exponent
        if isinstance(exponent, int) and -exponent > _DIGITS:
            raise CodeError(f"Output variable `{name}` has too high precision, it must be less than {_DIGITS} digits.")
    return value


def _free(value: Any, name: str, depth: int) -> Any:
    """Check a value whose shape is not declared: inside objects, which are `depth` deep."""
    if isinstance(value, dict):
        return _members(value, name, depth + 1)
    if isinstance(value, str):
        return _string(value, name)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return _number(value, name)
    kinds = {"number" if isinstance(item, int | float) else type(item).__name__ for item in value if item is not None}
    if value and value[0] is not None and len(kinds) > 1:
        raise CodeError(f"Output {name} is not a valid array. make sure all elements are of the same type.")
    return [_free(item, f"{name}[{index}]", depth) for index, item in enumerate(value)]


def _members(value: dict[str, Any], name: str, depth: int) -> dict[str, Any]:
    if depth > _DEPTH:
        raise CodeError(f"Depth limit {_DEPTH} reached, object too deep.", "DepthLimitError")
    return {key: _free(item, f"{name}.{key}", depth) for key, item in value.items()}


def _array(value: Any, name: str, most: int | None, one: Callable[[Any, int], Any]) -> list[Any] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise CodeError(f"Output {name} is not an array, got {type(value)} instead.")
    if most is not None and len(value) > most:
        raise CodeError(f"The length of output variable `{name}` must be less than {most} elements.")
    return [one(item, index) for index, item in enumerate(value)]


def check(found: dict[str, Any], declared: dict[str, Any], prefix: str = "", depth: int = 1) -> dict[str, Any]:
    """Return the outputs as declared; raise NodeError for the first that is not."""
    if depth > _DEPTH:
        raise CodeError(f"Depth limit {_DEPTH} reached, object too deep.", "DepthLimitError")
    outputs: dict[str, Any] = {}
    for key, rule in declared.items():
        name = f"{prefix}.{key}" if prefix else key
        if key not in found:
            raise CodeError(f"Output {name} is missing.")
        outputs[key] = _one(found[key], name, rule if isinstance(rule, dict) else {"type": str(rule)}, depth)
    if len(found) != len(outputs):
        raise CodeError("Not all output parameters are validated.", "CodeNodeError")
    return outputs


def _one(value: Any, name: str, rule: dict[str, Any], depth: int) -> Any:
    def number(item: Any, index: int) -> Any:
        if not isinstance(item, int | float):
            raise CodeError(f"The element at index {index} of output variable `{name}` must be a number.")
        return int(item) if isinstance(item, bool) else item

    def boolean(item: Any, index: int) -> Any:
        if item is not None and not isinstance(item, bool):
            raise CodeError(f"Output {name}[{index}] is not a boolean, got {type(item)} instead.")
        return item

    def thing(item: Any, index: int) -> Any:
        if item is not None and not isinstance(item, dict):
            raise CodeError(f"Output {name}[{index}] is not an object, got {type(item)} instead at index {index}.")
        return _object(item, f"{name}[{index}]", rule, depth)

    match rule.get("type"):
        case "string":
            return _string(value, name)
        case "number":
            return _number(value, name)
        case "boolean":
            return value  # as in Dify, whatever it is
        case "object":
            return _object(value, name, rule, depth)
        case "array[string]":
            return _array(value, name, _STRINGS, lambda item, index: _string(item, f"{name}[{index}]"))
        case "array[number]":
            return _array(value, name, _NUMBERS, number)
        case "array[boolean]":
            return _array(value, name, None, boolean)
        case "array[object]":
            return _array(value, name, _OBJECTS, thing)
        case kind:
            raise CodeError(f"Output type {kind} is not supported.")


def _object(value: Any, name: str, rule: dict[str, Any], depth: int) -> Any:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise CodeError(f"Output {name} is not an object, got {type(value)} instead.")
    if rule.get("children"):
        return check(value, rule["children"], name, depth + 1)
    return _members(value, name, depth + 1)
