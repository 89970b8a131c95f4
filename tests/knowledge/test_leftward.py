"""Documents written from right to left: whatever their format, words come as they are read."""

from __future__ import annotations

import pytest

from tests.knowledge.test_columns import LATIN
from tests.knowledge.test_documents import docx, paragraph
from tests.knowledge.test_odd_files import pdf, stream, texts

ARABIC = "يفتح الصمام A-40 عند ضغط 2.5 بار (بدون توقف)."
HEBREW = "השסתום A-40 נפתח בלחץ של 2.5 בר (ללא הפסקה)."
# What a browser or an office program draws, from the left to the right edge of the page.
DRAWN = {ARABIC: [".(فقوت نودب) راب", "2.5", "طغض دنع", "A-40", "مامصلا حتفي"],
         HEBREW: [".(הקספה אלל) רב", "2.5", "לש ץחלב חתפנ", "A-40", "םותסשה"]}


def page(line: str, told: bool) -> bytes:
    """Return a PDF of a line in letters 6 points wide, those of words from right to left in the order of the page.

    Some programs tell the text of each such letter (`told`), the others that of the font's.
    """
    letters = sorted(set(line))
    codes = {letter: 0x21 + number for number, letter in enumerate(letters)}
    names = f"begincmap 1 begincodespacerange <00> <ff> endcodespacerange {len(letters)} beginbfchar " + " ".join(
        f"<{code:02x}> <{ord(letter):04x}>" for letter, code in codes.items()) + " endbfchar"
    content = []
    x = 100 + 6 * sum(len(run) + 1 for run in DRAWN[line])
    for run in reversed(DRAWN[line]):
        x -= 6 * (len(run) + 1)
        content.append(f"BT /F 10 Tf {x} 700 Td")
        for letter in run:
            shown = f"<{codes[letter]:02x}> Tj"
            content.append(f"/Span<</ActualText<FEFF{ord(letter):04X}>>>BDC {shown} EMC"
                           if told and ord(letter) > 0x500 else shown)
        content.append("ET")
    return pdf([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
                stream(" ".join(content).encode()), LATIN.replace(b">>", b"/ToUnicode 6 0 R>>"),
                stream(names.encode())])


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("line", [ARABIC, HEBREW], ids=["ar", "he"])
def test_words_of_a_pdf_are_read_from_the_right(tmp_path, line, told):
    assert " ".join(texts(tmp_path, "a.pdf", page(line, told))) == line


@pytest.mark.parametrize("line", [ARABIC, HEBREW], ids=["ar", "he"])
@pytest.mark.parametrize(("name", "data"), [
    ("a.txt", lambda line: line.encode()), ("a.docx", lambda line: docx(paragraph(line))),
    ("a.html", lambda line: f"<html dir=rtl><p>{line}</p>".encode())])
def test_other_formats_keep_the_order_they_have(tmp_path, name, data, line):
    assert texts(tmp_path, name, data(line)) == [line]
