"""Every sentence that the server may say to somebody at the console has a Chinese translation.

The sentences are found in the code: the first argument of each error that reaches a client, of what the engine's
nodes, the providers and the tools fail with, of the warnings of an import, the problems of the health page and what
the built-in tools say they do.
"""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "app/sparrow"
CATALOGUE = ROOT / "app/web/src/locales/server.zh.json"
# Roots of the errors whose text is shown, and what else carries one: {name: which argument it is}.
ERRORS = {"SparrowError", "PortError", "NodeError", "ModelError", "ConditionError", "TemplateError",
          "CodeExecutionError", "WireError"}
CARRIERS = {"Warning": 1, "_bad": 1, "_problem": 2, "Tool": 2}
# Said in other places than the console: at a shell, or to programs, whose words are Dify's.
ELSEWHERE = ("cli/", "settings.py", "storage/sqlite.py", "storage/migrate.py", "box/binaries.py", "box/launch.py",
             "box/layout.py", "box/supervise.py", "api/service/datasets", "api/service/openai.py",
             "api/service/retrieval.py", "api/service/room.py", "api/triggers.py", "apps/trigger.py",
             "api/service/annotations.py", "api/service/knowledge.py")


def sentences(expression: ast.expr) -> Iterator[str]:
    """Yield the texts an expression may have, `{}` for what is filled in; nothing for what is no literal."""
    match expression:
        case ast.Constant(value=str(text)):
            yield text.strip()
        case ast.JoinedStr(values=parts):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts).strip()
        case ast.IfExp(body=body, orelse=orelse):
            yield from sentences(body)
            yield from sentences(orelse)
        case ast.BoolOp(values=values):
            for value in values:
                yield from sentences(value)


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """Each sentence of the code with the place it stands at."""
    trees = {path: ast.parse(path.read_text()) for path in sorted(CODE.rglob("*.py"))}
    bases = defaultdict(set)
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases[node.name] |= {ast.unparse(base).split(".")[-1] for base in node.bases}
    names, before = set(ERRORS), set()
    while names != before:
        before = set(names)
        names |= {name for name, parents in bases.items() if parents & names}
    found = {}
    for path, tree in trees.items():
        place = str(path.relative_to(CODE))
        if place.startswith(ELSEWHERE):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).split(".")[-1]
            index = CARRIERS.get(name, 0 if name in names else None)
            if index is None or len(node.args) <= index:
                continue
            for sentence in sentences(node.args[index]):
                if sentence.replace("{}", "").strip():
                    found.setdefault(sentence, f"{place}:{node.lineno}")
    return found


@pytest.fixture(scope="module")
def catalogue() -> dict[str, str]:
    """The Chinese sentence of each English one."""
    return json.loads(CATALOGUE.read_text())


def test_sentences_are_found(said):
    assert len(said) > 500
    assert "Wrong password." in said  # plain
    assert "Too many tries. Wait {} s." in said  # with something filled in
    assert "The model provider '{}' is not set up here (wanted for the model '{}')." in said  # a warning
    assert "[{}] Rate limit reached (HTTP 429){}" in said  # a provider's failure


def test_each_sentence_is_in_the_catalogue(said, catalogue):
    assert {sentence: place for sentence, place in said.items() if sentence not in catalogue} == {}


def test_translations_are_chinese_and_fill_in_the_same(catalogue):
    for english, chinese in catalogue.items():
        assert any("一" <= letter <= "鿿" for letter in chinese) or not any(
            letter.isalpha() for letter in english.replace("{}", "")), english
        holes = {chinese[i + 1] for i, letter in enumerate(chinese) if letter == "{" and chinese[i + 2] == "}"}
        assert holes <= {str(i) for i in range(english.count("{}"))}, english
