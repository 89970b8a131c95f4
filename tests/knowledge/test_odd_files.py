"""Files that are legal and odd: what a person sees in them is what is read."""

from __future__ import annotations

import base64
import csv
import datetime
import io
import os
import struct
import time
import zlib
from email.message import EmailMessage

import pytest

from sparrow.knowledge import chunk, keyword, parse
from sparrow.knowledge.parse import Block, Image, ParseError
from tests.knowledge.test_documents import EPUB, PPTX, W, blocks, docx, paragraph, zipped

REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def png(side: int = 80) -> bytes:
    """Return a picture of random pixels, which no two tests share."""
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    body = zlib.compress(b"".join(b"\0" + os.urandom(side * 3) for _ in range(side)))
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) \
        + part(b"IDAT", body) + part(b"IEND", b"")


def texts(tmp_path, name: str, data: bytes) -> list[str]:
    """Return the texts of a file's blocks."""
    return [block.text for block in blocks(tmp_path, name, data)]


def pictured(tmp_path, name: str, data: bytes) -> tuple[list[str], list[bytes]]:
    """Return the texts of a file's blocks and the pictures found in it."""
    path, folder = tmp_path / "file", tmp_path / "pictures"
    path.write_bytes(data)
    folder.mkdir()
    events = list(parse.read(path, name, folder))
    return [event.text for event in events if isinstance(event, Block)], \
        [open(event.path, "rb").read() for event in events if isinstance(event, Image)]


# Text files.


@pytest.mark.parametrize("text", ["这是一个日志文件，其中有一个坏字节。", "هذا نص عربي طويل فيه كلمات كثيرة. "])
def test_a_damaged_byte_does_not_make_utf8_something_else(tmp_path, text):
    assert text.strip() in texts(tmp_path, "a.log", (text * 50).encode() + b"\xe4\xbd\n")[0]


@pytest.mark.parametrize(("codec", "text"), [
    ("cp1252", "Die Größe der Pumpe ist über 3 Meter. Übermäßiger Druck führt zu Schäden."),
    ("cp1252", "La façade est déjà refaite; vérifiez la pression. Où êtes-vous né ?"),
    ("cp1252", "El motor está dañado. ¿Cuándo se cambió el aceite? «Mañana», a 5 °C, nº 3."),
    ("cp1252", "A “quoted” word: naïve, £5 ½"), ("latin-1", "Größe"),
    ("cp1250", "Zażółć gęślą jaźń. Ciśnienie robocze pompy wynosi trzy bary."),
    ("cp1251", "Насос KX-40 работает при давлении три бара. ПРОВЕРЬТЕ КЛАПАН."),
    ("koi8-r", "Насос KX-40 работает при давлении три бара. ПРОВЕРЬТЕ КЛАПАН."),
    ("koi8-r", "ПРАВИЛА БЕЗОПАСНОСТИ. ВЫКЛЮЧИТЕ ПИТАНИЕ НАСОСА."),
    ("cp1251", "ТЕМПЕРАТУРА НАСОСА. Є ї і ґ — українська мова: тиск насоса три бари."),
    ("cp1251", "Притисак пумпе је три бара. Провери вентил."),
    ("cp866", "Насос KX-40 работает при давлении три бара."),
    ("koi8-u", "Тиск насоса: три бари. Перевірте клапан її насоса."),
    ("iso8859-2", "Zażółć gęślą jaźń. Ciśnienie robocze pompy wynosi trzy bary."),
    ("cp1250", "A szivattyú nyomása három bar. Ellenőrizze a szűrőt és a tömítést."),
    ("iso8859-2", "Presiunea pompei este de trei bari. Verificaţi supapa şi filtrul."),
    ("cp1254", "Pompanın basıncı üç bardır. Vanayı ve süzgeci her gün denetleyin."),
    ("cp1254", "BM dosyasının ismi değiştirilmiştir."),
    ("cp1253", "Η πίεση της αντλίας είναι τρία μπαρ. Ελέγξτε τη βαλβίδα."),
    ("cp1255", "לחץ המשאבה הוא שלושה בר. בדוק את השסתום."), ("cp1256", "ضغط المضخة ثلاثة بار. افحص الصمام كل يوم."),
    ("cp874", "แรงดันของปั๊มคือสามบาร์ ตรวจสอบวาล์วทุกวัน"),
    ("cp1252", "The pump runs at 60 °C ± 5 °C; its “type plate” says ½ inch – don’t remove it."),
    ("iso-2022-jp", "ポンプの定格圧力は三バールです。"), ("shift_jis", "ポンプの定格圧力は三バールです。"),
    ("euc-jp", "圧力の定格はポンプ。"), ("gbk", "价格：￥25，泵A-40/2B"), ("gbk", "水泵说明书"),
    ("big5", "額定電壓220V的說明"),
    ("euc-kr", "펌프의 정격 압력은")])
def test_old_character_sets_are_told_apart(tmp_path, codec, text):
    assert texts(tmp_path, "a.txt", text.encode(codec)) == [text]


def test_xml_in_a_chinese_character_set(tmp_path):
    data = '<?xml version="1.0" encoding="GB2312"?><a><b>中文内容，朱镕基</b></a>'.encode("gb18030")
    assert texts(tmp_path, "a.xml", data) == ["b: 中文内容，朱镕基"]


def test_the_bad_line_of_json_lines_is_named(tmp_path):
    with pytest.raises(ParseError, match="line 3"):
        blocks(tmp_path, "a.jsonl", b'{"a":1}\n{"b":2}\n{broken\n')


@pytest.mark.parametrize("data", [b"sep=;\nmodel;price\nA-1;10\n", b"model\tprice\r\nA-1\t10\r\n"])
def test_separators_that_excel_writes(tmp_path, data):
    assert texts(tmp_path, "a.csv", data) == ["| model | price |\n| --- | --- |\n| A-1 | 10 |"]


def test_titles_above_a_table_are_not_its_header(tmp_path):
    found = blocks(tmp_path, "a.csv", "2024年价格表,,\n,,\n型号,价格,说明\nA-1,10,泵\n".encode())
    assert [(block.text, block.heading) for block in found] == [
        ("2024年价格表", ["2024年价格表"]),
        ("| 型号 | 价格 | 说明 |\n| --- | --- | --- |\n| A-1 | 10 | 泵 |", ["2024年价格表"])]
    assert texts(tmp_path, "a.csv", b"name,\nAnn,\nBob,\n") == ["| name |  |\n| --- | --- |\n| Ann |  |\n| Bob |  |"]


def test_speakers_of_subtitles_are_named(tmp_path):
    data = b"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Roger>Hi &amp; hello</v>\n\n" \
        b"00:03.000 --> 00:04.000\n<v.x Ann B>Bye</v>\n"
    assert texts(tmp_path, "a.vtt", data) == ["Roger: Hi & hello\nAnn B: Bye"]


def test_pictures_written_into_markdown_are_pictures(tmp_path):
    picture = png()
    uri = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    markdown = f"---\ntitle: 安装指南\n---\n\nOne ![the pump]({uri}) two.\n\nThree ![][image1] four.\n\n" \
        f"[image1]: <{uri}>\n"
    found, pictures = pictured(tmp_path, "a.md", markdown.encode())
    assert found == ["One ![the pump](image:1) two.", "Three ![picture.png](image:1) four."]
    assert pictures == [picture]
    assert texts(tmp_path, "a.md", markdown.encode()) == ["One the pump two.", "Three  four."]
    assert blocks(tmp_path, "a.md", markdown.encode())[0].heading == ["安装指南"]


def test_words_that_programs_begin_with_too_are_words(tmp_path):
    for text in ("BMW 320i manual", "MZ is a prefix", "ID3 tags", "RIFF and raff", "GIF8 or GIF9"):
        assert texts(tmp_path, "a.txt", text.encode()) == [text]


def test_questions_below_a_title_need_no_model(tmp_path):
    found = blocks(tmp_path, "faq.csv", "常见问题,\n问题,答案\n电压多少？,220 V\n多重？,3 kg\n".encode())
    rule = chunk.rules.parse(chunk.rules.default(), "qa_model")
    assert [(one.content, one.answer) for one in chunk.cut(found, rule, "qa_model")] == [
        ("电压多少？", "220 V"), ("多重？", "3 kg")]


@pytest.mark.parametrize("name", ["faq.csv", "faq.xlsx", "faq.docx"])
def test_lines_of_a_cell_stay_lines(tmp_path, name):
    """An answer often is a list of steps: in one line nobody can follow it. The mark between them is no word."""
    rows = [("Question", "Answer"), ("Which pressure?", "2.2 bar"),
            ("How is the filter | changed?", "1. Close the valve.\n2. Open the lid.\n\n3. Pull.")]
    if name == "faq.csv":
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        data = text.getvalue().encode()
    elif name == "faq.xlsx":
        import openpyxl

        book, out = openpyxl.Workbook(), io.BytesIO()
        for row in rows:
            book.active.append(row)
        book.save(out)
        data = out.getvalue()
    else:
        cells = [["".join(map(paragraph, value.split("\n"))) for value in row] for row in rows]
        data = docx("<w:tbl>" + "".join(f"<w:tr><w:tc>{question}</w:tc><w:tc>{answer}</w:tc></w:tr>"
                                        for question, answer in cells) + "</w:tbl>")
    found = blocks(tmp_path, name, data)
    assert found[0].text.split("\n")[3] == \
        r"| How is the filter \| changed? | 1. Close the valve.<br>2. Open the lid.<br>3. Pull. |"
    rule = chunk.rules.parse(chunk.rules.default(), "qa_model")
    assert [(one.content, one.answer) for one in chunk.cut(found, rule, "qa_model")] == [
        ("Which pressure?", "2.2 bar"),
        ("How is the filter | changed?", "1. Close the valve.\n2. Open the lid.\n3. Pull.")]
    indexed = chunk.context([], found[0].text)
    assert "valve. 2. Open" in indexed
    assert "br" not in keyword.tokens(indexed)


# HTML.


def test_line_ends_of_a_page_part_words(tmp_path):
    page = "<h1>标题<br>副标题</h1><p>地址：上海<br>电话：123</p><pre>a<br>b</pre>"
    assert texts(tmp_path, "a.html", page.encode()) == ["标题 副标题", "地址：上海\n电话：123", "a\nb"]
    table = "<table><tr><th>型号<th>说明<tr><td>A-1<br>B-2<td><p>第一段</p><p>第二段</p></table>"
    assert texts(tmp_path, "a.html", table.encode()) == [
        "| 型号 | 说明 |\n| --- | --- |\n| A-1<br>B-2 | 第一段<br>第二段 |"]


def test_a_table_in_a_table_that_lays_out_the_page(tmp_path):
    page = "<table><tr><td><p>Intro</p><table><tr><th>a<th>b<tr><td>c<td>d</table></td></tr></table>"
    assert texts(tmp_path, "a.html", page.encode()) == ["Intro", "| a | b |\n| --- | --- |\n| c | d |"]


def test_a_page_that_is_one_form_is_read(tmp_path):
    page = b"<form id='aspnetForm'><input value='no'><p>All the words of the page.</p></form>"
    assert texts(tmp_path, "a.html", page) == ["All the words of the page."]


def test_cells_over_several_rows_and_columns(tmp_path):
    page = "<table><tr><th>类<th colspan=2>数<tr><td rowspan=2>泵<td>a<td>b<tr><td>c<td>d<tr><td>阀<td>e<td>f</table>"
    assert texts(tmp_path, "a.html", page.encode()) == [
        "| 类 | 数 |  |\n| --- | --- | --- |\n| 泵 | a | b |\n| 泵 | c | d |\n| 阀 | e | f |"]


def test_cells_that_claim_to_cover_millions_cost_little(tmp_path):
    page = "<table>" + "<tr>" + "<td colspan=1000 rowspan=60000>x" * 2000 + "<tr><td>y<td>z" * 200 + "</table>"
    began = time.monotonic()
    assert len(texts(tmp_path, "a.html", page.encode())) < 20
    assert time.monotonic() - began < 20


def test_pictures_of_pages_and_books_are_kept(tmp_path):
    picture = png()
    uri = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    found, pictures = pictured(tmp_path, "a.html", f"<p>See <img alt='the [pump]' src='{uri}'> here.</p>".encode())
    assert (found, pictures) == (["See ![the (pump)](image:1) here."], [picture])


def test_pictures_of_a_book_are_kept(tmp_path):
    picture = png()
    book = zipped({
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="a/b.opf"/></rootfiles></container>',
        "a/b.opf": "<package><manifest><item id='c' href='t/c.xhtml' media-type='application/xhtml+xml'/></manifest>"
                   "<spine><itemref idref='c'/></spine></package>",
        "a/t/c.xhtml": "<p>See</p><img src='../i/the%20pump.png' alt='pump'/>", "a/i/the pump.png": picture})
    assert pictured(tmp_path, "a.epub", book) == (["See", "![pump](image:1)"], [picture])


def test_a_picture_that_is_shown_twice_is_kept_once(sqlite_database):
    from sparrow.knowledge import datasets, documents, indexing
    from sparrow.storage import files

    page = "<p>See</p><img src='pump.png' alt='pump'/>"
    book = zipped(EPUB | {"a/c.xhtml": page + "<h1>Two</h1>" + page, "a/pump.png": png()})
    file = files.save(io.BytesIO(book), "a.epub")
    row = documents.add_files(datasets.create("Books")["id"], [file["id"]])[0][0]
    indexing.run(row["id"])
    row = documents.get(row["dataset_id"], row["id"])
    assert (row["indexing_status"], len(row["data_source_info"]["images"])) == ("completed", 1), row["error"]


def test_a_book_that_is_the_zip_of_its_folder(tmp_path):
    book = zipped({"book/": b"", **{f"book/{name}": data for name, data in EPUB.items()}})
    assert texts(tmp_path, "a.epub", book) == ["One", "First words."]


# Word.


def word(body: str, parts: dict[str, str | bytes]) -> bytes:
    """Return a Word document with more parts, each related to the document by its name."""
    relations = "".join(f'<Relationship Id="r{name}" Type="{REL}/{name}" Target="{name}2.xml"/>' for name in parts)
    return zipped({
        "_rels/.rels": f'<Relationships><Relationship Id="r1" Type="{REL}/officeDocument" '
                       'Target="/word/document2.xml"/></Relationships>',
        "word/_rels/document2.xml.rels": f"<Relationships>{relations}</Relationships>",
        "word/document2.xml": f'<w:document xmlns:w="{W}" xmlns:r="{REL}"><w:body>{body}</w:body></w:document>'}
        | {f"word/{name}2.xml": data for name, data in parts.items()})


NUMBERING = f'''<w:numbering xmlns:w="{W}">
<w:abstractNum w:abstractNumId="7"><w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="chineseCounting"/>
<w:lvlText w:val="第%1条"/></w:lvl><w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/>
<w:lvlText w:val="(%2)"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="8"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="x"/></w:lvl>
</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num><w:num w:numId="2">
<w:abstractNumId w:val="8"/></w:num></w:numbering>'''
STYLES = f'''<w:styles xmlns:w="{W}"><w:style w:styleId="base"><w:name w:val="List Number"/><w:pPr><w:numPr>
<w:numId w:val="1"/></w:numPr></w:pPr></w:style><w:style w:styleId="mine"><w:name w:val="mine"/>
<w:basedOn w:val="base"/></w:style><w:style w:styleId="t1"><w:name w:val="toc 1"/></w:style></w:styles>'''


def listed(text: str, number: int, level: int) -> str:
    """Return a paragraph of a list."""
    return f'<w:p><w:pPr><w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr></w:pPr>' \
           f"<w:r><w:t>{text}</w:t></w:r></w:p>"


def test_word_numbers_its_paragraphs(tmp_path):
    body = paragraph("Contents ... 3", "t1") + paragraph("甲方", "mine") + listed("one", 1, 1) + listed("two", 1, 1) \
        + paragraph("乙方", "mine") + listed("again", 1, 1) + listed("dot", 2, 0) + listed("none", 0, 0)
    assert texts(tmp_path, "a.docx", word(body, {"numbering": NUMBERING, "styles": STYLES})) == [
        "第三条 甲方", "(a) one", "(b) two", "第四条 乙方", "(a) again", "- dot", "none"]


def test_ways_of_writing_numbers():
    from sparrow.knowledge.parse.numbering import spelled

    assert [spelled(number, kind) for number, kind in (
        (14, "upperRoman"), (28, "lowerLetter"), (10, "chineseCounting"), (23, "chineseCountingThousand"),
        (105, "ideographDigital"), (110, "chineseCounting"), (3, "decimalEnclosedCircle"), (7, "decimalZero"))] == [
        "XIV", "bb", "十", "二十三", "一百零五", "一百一十", "③", "07"]


def test_words_around_a_text_box_are_kept(tmp_path):
    box = "<w:r><w:drawing><w:txbxContent><w:p><w:r><w:t>in the box</w:t></w:r></w:p></w:txbxContent></w:drawing></w:r>"
    body = f"<w:p><w:r><w:t>before </w:t></w:r>{box}<w:r><w:t>after</w:t></w:r></w:p>"
    assert texts(tmp_path, "a.docx", docx(body)) == ["in the box", "before after"]


def test_moved_text_stands_once_and_hyphens_stay(tmp_path):
    body = "<w:p><w:moveFrom><w:r><w:t>gone </w:t></w:r></w:moveFrom>" \
        "<w:del><w:r><w:delText>old</w:delText></w:r></w:del>" \
        "<w:r><w:t>A</w:t><w:noBreakHyphen/><w:t>40/2B</w:t></w:r></w:p>"
    assert texts(tmp_path, "a.docx", docx(body)) == ["A-40/2B"]


def test_notes_stand_where_they_are_referred_to(tmp_path):
    body = '<w:p><w:r><w:t>Max. load</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>' + paragraph("Next")
    notes = f'<w:footnotes xmlns:w="{W}"><w:footnote w:id="0"/><w:footnote w:id="2">{paragraph("at 20 °C")}' \
        "</w:footnote></w:footnotes>"
    assert texts(tmp_path, "a.docx", word(body, {"footnotes": notes})) == ["Max. load[^1]", "[^1]: at 20 °C", "Next"]


def test_merged_cells_of_word(tmp_path):
    def cell(text: str, more: str = "") -> str:
        return f"<w:tc><w:tcPr>{more}</w:tcPr>{paragraph(text)}</w:tc>"

    body = "<w:tbl><w:tr>" + cell("类别") + cell("型号", '<w:gridSpan w:val="2"/>') + "</w:tr><w:tr>" \
        + cell("泵", '<w:vMerge w:val="restart"/>') + cell("A-1") + cell("10") + "</w:tr><w:tr>" \
        + cell("", "<w:vMerge/>") + cell("A-2") + cell("20") + "</w:tr></w:tbl>"
    assert texts(tmp_path, "a.docx", docx(body)) == [
        "| 类别 | 型号 |  |\n| --- | --- | --- |\n| 泵 | A-1 | 10 |\n| 泵 | A-2 | 20 |"]


CHART = '''<c:chartSpace xmlns:c="c" xmlns:a="a"><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Sales</a:t></a:r></a:p>
</c:rich></c:tx></c:title><c:plotArea><c:barChart><c:ser><c:tx><c:strRef><c:strCache><c:pt idx="0">
<c:v>2024</c:v></c:pt></c:strCache></c:strRef></c:tx><c:cat><c:strRef><c:strCache><c:pt idx="0"><c:v>East</c:v></c:pt>
<c:pt idx="1"><c:v>West</c:v></c:pt></c:strCache></c:strRef></c:cat>
<c:val><c:numRef><c:numCache><c:pt idx="0"><c:v>19.2</c:v></c:pt>
<c:pt idx="1"><c:v>21.4</c:v></c:pt></c:numCache></c:numRef></c:val></c:ser>
</c:barChart></c:plotArea></c:chart></c:chartSpace>'''
CHART_TABLE = "|  | 2024 |\n| --- | --- |\n| East | 19.2 |\n| West | 21.4 |"


def test_the_numbers_of_a_chart_are_read(tmp_path):
    body = '<w:p><w:r><w:t>See:</w:t><w:drawing><c:chart xmlns:c="c" r:id="rchart"/></w:drawing></w:r></w:p>'
    found = blocks(tmp_path, "a.docx", word(body, {"chart": CHART}))
    assert [(block.text, block.heading) for block in found] == [("See:", []), (CHART_TABLE, ["Sales"])]


# Slides and sheets.


def test_slides_with_a_footer_a_table_a_chart_and_a_diagram(tmp_path):
    slide = '<p:sld xmlns:p="p" xmlns:a="a" xmlns:r="r"><p:sp><p:ph type="ftr"/><a:p><a:t>Footer</a:t></a:p></p:sp>' \
        "<p:graphicFrame><a:tbl><a:tr><a:tc><a:p><a:t>a</a:t></a:p></a:tc><a:tc><a:p><a:t>b</a:t></a:p></a:tc></a:tr>" \
        '</a:tbl></p:graphicFrame><p:graphicFrame><c:chart xmlns:c="c" r:id="r1"/></p:graphicFrame>' \
        '<p:graphicFrame><d:relIds xmlns:d="d" r:dm="r2"/></p:graphicFrame></p:sld>'
    deck = zipped(PPTX | {
        "ppt/slides/slide1.xml": slide, "ppt/charts/chart1.xml": CHART,
        "ppt/diagrams/data1.xml": '<m xmlns:a="a"><a:p><a:t>Plan</a:t></a:p><a:p><a:t>Build</a:t></a:p></m>',
        "ppt/slides/_rels/slide1.xml.rels": '<Relationships><Relationship Id="r1" Target="../charts/chart1.xml"/>'
                                            '<Relationship Id="r2" Target="../diagrams/data1.xml"/></Relationships>'})
    assert texts(tmp_path, "a.pptx", deck) == ["Plan\nBuild", "| a | b |\n| --- | --- |", CHART_TABLE]


def test_sheets_are_read_as_they_are_shown(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "销售"
    for row in (["2024年销售表"], [], ["大区", "城市", "日期", "占比", "时长"],
                ["华东", "上海", datetime.date(2024, 1, 5), 0.153, datetime.timedelta(hours=26)],
                [None, "杭州", datetime.datetime(2024, 1, 6, 8, 30), 1, 0.1 + 0.2]):
        sheet.append(row)
    sheet.merge_cells("A1:E1")
    sheet.merge_cells("A4:A5")
    sheet["D4"].number_format, sheet["D5"].number_format = "0.0%", "0%"
    out = io.BytesIO()
    book.save(out)
    found = blocks(tmp_path, "a.xlsx", out.getvalue())
    assert [(block.text, block.heading) for block in found] == [
        ("2024年销售表", ["销售", "2024年销售表"]),
        ("| 大区 | 城市 | 日期 | 占比 | 时长 |\n| --- | --- | --- | --- | --- |\n"
         "| 华东 | 上海 | 2024-01-05 | 15.3% | 26:00:00 |\n"
         "| 华东 | 杭州 | 2024-01-06 08:30:00 | 100% | 0.3 |", ["销售", "2024年销售表"])]


@pytest.mark.parametrize("data", ["<html><table><tr><td>型号<td>价格<tr><td>A-1<td>10</table></html>",
                                  "型号\t价格\nA-1\t10\n"])
def test_web_programs_call_their_tables_xls(tmp_path, data):
    assert texts(tmp_path, "a.xls", data.encode("gb18030")) == ["| 型号 | 价格 |\n| --- | --- |\n| A-1 | 10 |"]


# Mail.


@pytest.mark.parametrize(("head", "body"), [
    (b"Subject: =?gb2312?B?" + base64.b64encode("朱镕基的通知".encode("gbk")) + b"?=\nFrom: a@b.c\nMIME-Version: 1.0\n"
     b"Content-Type: text/plain; charset=gb2312\nContent-Transfer-Encoding: 8bit\n\n", "镕，您好".encode("gbk")),
    (b"Subject: " + "朱镕基的通知".encode("gbk") + b"\nFrom: a@b.c\nMIME-Version: 1.0\n"
     b"Content-Type: text/plain; charset=x-none\nContent-Transfer-Encoding: 8bit\n\n", "镕，您好".encode("gbk")),
    (b"Subject: =?utf-8?Q?=E6=9C=B1=E9=95=95?=\n =?utf-8?Q?=E5=9F=BA=E7=9A=84=E9=80=9A=E7=9F=A5?=\nFrom: a@b.c\n"
     b"Content-Type: multipart/mixed; boundary=none\n\n", "镕，您好".encode()),
])
def test_mail_in_a_declared_a_raw_and_an_unknown_character_set(tmp_path, head, body):
    found = blocks(tmp_path, "a.eml", head + body + b"\n")
    assert [(block.text, block.heading) for block in found] == [
        ("Subject: 朱镕基的通知\nFrom: a@b.c", ["朱镕基的通知"]), ("镕，您好", ["朱镕基的通知"])]


def test_attached_mail_and_pictures_are_read(tmp_path):
    picture = png()
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("Inner words.")
    mail = EmailMessage()
    mail["Subject"] = "outer"
    mail.set_content("Plain.")
    mail.add_alternative("<p>See <img src='cid:x' alt='pump'></p>", subtype="html")
    mail.get_payload()[1].add_related(picture, "image", "png", cid="<x>")
    mail.add_attachment(inner)
    found, pictures = pictured(tmp_path, "a.eml", bytes(mail))
    assert found == ["Subject: outer", "See ![pump](image:1)", "Subject: inner", "Inner words."]
    assert pictures == [picture]


def test_a_page_saved_by_a_browser(tmp_path):
    page = b"From: <Saved by Blink>\nSubject: Page\nMIME-Version: 1.0\n" \
        b"Content-Type: multipart/related; boundary=b\n\n" \
        b"--b\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n" \
        b"<p>=E4=BD=A0=E5=A5=BD words</p>\n--b--\n"
    assert texts(tmp_path, "a.mhtml", page) == ["你好 words"]


# PDF.


def pdf(objects: list[bytes]) -> bytes:
    """Return a PDF of objects numbered from 1, the first being the catalogue."""
    out, places = b"%PDF-1.7\n", []
    for number, item in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1, table, len(objects) + 1, len(out))


def stream(data: bytes, more: bytes = b"") -> bytes:
    """Return a stream object."""
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (more, len(data), data)


def page_of(content: bytes, more: bytes = b"", objects: tuple[bytes, ...] = (), catalog: bytes = b"") -> bytes:
    """Return a PDF of one page; objects 6 and on are the caller's."""
    return pdf([b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog, b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>"
                b"/XObject<</P 6 0 R/Q 7 0 R>>>>%s>>" % more, stream(content),
                b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>", *objects])


def test_what_is_filled_into_a_form_is_read(tmp_path):
    field = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(n)/V(FORM-77 Zhang)/Rect[150 690 400 710]/DA(/F 12 Tf)/P 3 0 R>>"
    data = page_of(b"BT /F 12 Tf 72 700 Td (Name:) Tj ET", b"/Annots[6 0 R]", (field,),
                   b"/AcroForm<</Fields[6 0 R]/NeedAppearances true/DR<</Font<</F 5 0 R>>>>>>")
    assert "FORM-77 Zhang" in " ".join(texts(tmp_path, "a.pdf", data))


def test_figures_of_a_pdf_stand_between_its_paragraphs(tmp_path):
    pixels = os.urandom(80 * 80 * 3)
    figure = stream(pixels, b"/Type/XObject/Subtype/Image/Width 80/Height 80/ColorSpace/DeviceRGB/BitsPerComponent 8")
    icon = stream(os.urandom(80 * 80), b"/Subtype/Image/Width 80/Height 80/ColorSpace/DeviceGray/BitsPerComponent 8")
    content = b"BT /F 12 Tf 72 700 Td (Above the figure.) Tj 0 -400 Td (Below it.) Tj ET " \
        b"q 200 0 0 200 72 400 cm /P Do Q q 20 0 0 20 72 750 cm /Q Do Q q 200 0 0 200 300 400 cm /P Do Q"
    found, pictures = pictured(tmp_path, "a.pdf", page_of(content, objects=(figure, icon)))
    assert found == ["Above the figure.", "![figure-1.png](image:1)", "Below it."]
    at = pictures[0].index(b"IDAT")
    shown = zlib.decompress(pictures[0][at + 4:at + 4 + struct.unpack(">I", pictures[0][at - 4:at])[0]])
    channels = (len(shown) // 80 - 1) // 80
    assert [shown[1 + at] for at in range(3)] == list(pixels[:3])
    assert [shown[1 + channels + at] for at in range(3)] == list(pixels[3:6])


def test_a_page_that_is_shown_turned_keeps_its_paragraphs(tmp_path):
    lines = [b"A first line of the landscape page with many words", b"goes on in a second one.", b"",
             b"Another paragraph stands here."]
    content = b"0 1 -1 0 600 0 cm BT /F 12 Tf 72 500 Td " + b" ".join(
        b"(%s) Tj 0 -14 Td" % line for line in lines) + b" ET"
    assert texts(tmp_path, "a.pdf", page_of(content, b"/Rotate 90")) == [
        "A first line of the landscape page with many words goes on in a second one.", "Another paragraph stands here."]
