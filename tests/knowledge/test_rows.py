"""Rows of tables: each question of a Q&A table once and with its own place, each part of a long table too."""

from __future__ import annotations

import io
import re

import openpyxl
import pytest

from sparrow.knowledge import chunk
from tests.knowledge.test_documents import blocks


def workbook(rows: list[list[str]]) -> bytes:
    """Return a workbook of one sheet, "FAQ"."""
    book, file = openpyxl.Workbook(), io.BytesIO()
    book.active.title = "FAQ"
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def cut(folder, name: str, data: bytes, form: str = "qa_model") -> list[chunk.Chunk]:
    """Return a file's chunks."""
    return list(chunk.cut(blocks(folder, name, data), chunk.rules.parse(chunk.rules.default(), form), form))


@pytest.mark.parametrize(("name", "data", "places"), [
    ("faq.csv", "sep=;\n问题;答案\n电压？;\"220\nV\"\n\n多重？;3 kg\n".encode(), ["3", "6"]),
    ("faq.xlsx", workbook([["问题", "答案"], ["电压？", "220 V"], [], ["多重？", "3 kg"]]), ["FAQ!2", "FAQ!4"])])
def test_each_question_says_its_own_place(tmp_path, name, data, places):
    assert [one.place for one in cut(tmp_path, name, data)] == places


@pytest.mark.parametrize(("name", "data"), [
    ("faq.csv", "".join(f"Why {number}?,Because {number}\n" for number in range(100)).encode()),
    ("faq.xlsx", workbook([[f"Why {number}?", f"Because {number}"] for number in range(100)])),
    ("faq.html", "".join(["<table>", *(f"<tr><td>Why {number}?</td><td>Because {number}</td></tr>"
                                       for number in range(100)), "</table>"]).encode())])
def test_the_first_question_of_a_long_table_without_a_head_comes_once(tmp_path, name, data):
    assert [one.content for one in cut(tmp_path, name, data)] == [f"Why {number}?" for number in range(100)]


@pytest.mark.parametrize(("head", "pairs"), [
    ("Question,Answer", 2), ("Q,A", 2), ("标准问题,回复", 2), ("Standard question,Reply", 2),
    ("How do I answer a call?,Press the green key.", 3), ("How to answer a call,Press the green key.", 3),
    ("如何回答客户的问题,请查手册。", 3), ("怎么提问？,写邮件。", 3)])
def test_a_pair_that_speaks_of_questions_is_no_head(tmp_path, head, pairs):
    """It was lost; and a head of letters was a pair."""
    assert len(cut(tmp_path, "faq.csv", f"{head}\nWhy?,Because.\nWhen?,Now.\n".encode())) == pairs


def test_parts_of_a_long_table_say_their_own_lines(tmp_path):
    data = b"name,text\n" + "".join(f"n{number},{'word ' * 30}\n" for number in range(100)).encode()
    found = cut(tmp_path, "a.csv", data, "text_model")
    assert len(found) > 10
    for one in found[1:]:
        assert one.place == str(int(re.search(r"\| n(\d+) ", one.content)[1]) + 2)
