"""Arithmetic without `eval`: numbers, operators and a few functions, bounded in size."""

from __future__ import annotations

import ast
import math
import operator

_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
              ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.USub: operator.neg, ast.UAdd: operator.pos}
_FUNCTIONS = {name: getattr(math, name) for name in (
    "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "log", "log2", "log10", "exp", "floor", "ceil", "degrees",
    "radians")} | {"abs": abs, "round": round, "min": min, "max": max}
_NAMES = {"pi": math.pi, "e": math.e}


def calculate(text: str) -> int | float:
    """Return the value of an expression; raise ValueError for anything that is not arithmetic."""
    if len(text) > 1000:
        raise ValueError("The expression is longer than 1000 characters.")
    try:
        value = _value(ast.parse(text.strip().replace("^", "**"), mode="eval").body)
    except (SyntaxError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise ValueError(f"This is not an expression I can calculate: {text}") from error
    except ZeroDivisionError:
        raise ValueError("Division by zero.") from None
    if not isinstance(value, int | float):
        raise ValueError(f"This is not an expression I can calculate: {text}")
    return value


def _value(node: ast.AST) -> int | float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.operand))
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Pow):
            if abs(right) > 1000 or abs(left) > 1e9:
                raise ValueError("The power is too large.")
            return left ** right
        if type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS \
            and not node.keywords:
        return _FUNCTIONS[node.func.id](*map(_value, node.args))
    raise ValueError("Only numbers, + - * / // % ^ and the usual functions can be calculated.")
