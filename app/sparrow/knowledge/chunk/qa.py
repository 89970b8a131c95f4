"""Question-and-answer documents: pairs as written, or made by a language model from each chunk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from sparrow.errors import BadRequest
from sparrow.knowledge.parse.blocks import Block
from sparrow.knowledge.parse.tables import BREAK

from .rules import Rule
from .split import Chunk, chunks

_QUESTION = re.compile(r"^\s*(?:Q(?:uestion)?\s*\d*|问题?\s*\d*|問題?\s*\d*)\s*[:：.、]\s*", re.I)
_ANSWER = re.compile(r"^\s*(?:A(?:nswer)?\s*\d*|答案?\s*\d*)\s*[:：.、]\s*", re.I)

PROMPT = """Read the passage and write question-answer pairs that cover everything a reader may want to know from it. \
Each answer must be complete and stand only on the passage. Write in {language}. Use exactly this form, one pair \
after another, nothing else:
Q1: ...
A1: ...

Passage:
{passage}"""

Ask = Callable[[str], str]  # a prompt to the model's reply


def pairs(blocks: Iterable[Block], rule: Rule, *, ask: Ask | None = None, language: str = "English"
          ) -> Iterator[Chunk]:
    """Yield chunks whose content is a question and whose `answer` is the answer.

    Tables of two columns and texts in "Q: … A: …" form are taken as they are; other text goes to the model chunk
    by chunk. Raises BadRequest where that is needed and no model is at hand.
    """
    rest: list[Block] = []
    waiting = None
    head: list[str] = []
    for block in blocks:
        if block.kind == "table":
            table = _cells(block)
            # A long table comes in parts, each with its first row as the header.
            found = list(_rows(block, table, again=table[0] == head))
            head = table[0]
        else:
            found = list(_written(block))
        if not found and _starts_question(block.text) and not _ANSWER.search(block.text):
            waiting = block
            continue
        if waiting is not None:
            joined = Block(f"{waiting.text}\n{block.text}", block.kind, waiting.place_kind, waiting.place,
                           waiting.heading)
            waiting = None
            found = list(_written(joined)) or found
        if found:
            yield from found
        else:
            rest.append(block)
    rest = [block for block in rest if block.kind != "heading"] if not rest or ask is None else rest
    if not rest:
        return
    if ask is None:
        raise BadRequest("Making questions and answers from running text needs a language model. Choose a default "
                         "model, or upload a table with the columns question and answer.", code="model_needed")
    for chunk in chunks(rest, rule):
        reply = ask(PROMPT.format(language=language, passage=chunk.content))
        yield from parse_pairs(reply, chunk)


def parse_pairs(text: str, chunk: Chunk | None = None) -> Iterator[Chunk]:
    """Yield the pairs of text in "Q: … A: …" form; `chunk` lends its place."""
    question: list[str] = []
    answer: list[str] | None = None
    base = chunk or Chunk("")

    def pair():
        asked, said = "\n".join(question).strip(), "\n".join(answer or []).strip()
        if asked and said:
            yield Chunk(asked, base.heading, base.place_kind, base.place, answer=said)

    for line in text.split("\n"):
        if _QUESTION.match(line):
            yield from pair()
            question, answer = [_QUESTION.sub("", line)], None
        elif _ANSWER.match(line) and question:
            answer = [_ANSWER.sub("", line)]
        elif answer is not None:
            answer.append(line)
        elif question:
            question.append(line)
    yield from pair()


def _starts_question(text: str) -> bool:
    return bool(_QUESTION.match(text))


def _cells(table: Block) -> list[list[str]]:
    return [[cell.strip().replace("\\|", "|").replace(BREAK, "\n")
             for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
            for line in table.text.split("\n")]


def _rows(block: Block, table: list[list[str]], *, again: bool) -> Iterator[Chunk]:
    """Yield the pairs of a table of two columns; its first row is none if it names them or came before (`again`)."""
    if len(table) < 3 or any(len(row) != 2 for row in table):
        return
    begin = 2 if again or _is_head(table[0]) else 0
    places = [*[block.place] * (len(table) - len(block.rows)), *block.rows]
    if len(block.rows) == len(table) - 1:
        places[0] = block.rows[0]
    for number, row in enumerate(table[begin:], start=begin):
        if number != 1 and row[0] and row[1]:
            yield Chunk(" ".join(row[0].split()), block.heading, block.place_kind, places[number], answer=row[1])


def _is_head(row: list[str]) -> bool:
    """Tell whether a row names the columns: in a few words, of which one says so, and without asking anything."""
    return not any(mark in cell for cell in row for mark in "?？") and any(
        len(cell.split()) <= 3 and len(cell) <= (20 if cell.isascii() else 5) and (
            cell.lower() in ("q", "a") or any(word in cell.lower() for word in ("question", "answer", "问", "答")))
        for cell in row)


def _written(block: Block) -> Iterator[Chunk]:
    if _starts_question(block.text):
        yield from parse_pairs(block.text, Chunk("", block.heading, block.place_kind, block.place))
