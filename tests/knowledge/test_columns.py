"""The order in which a page is read: columns that are drawn line by line across it, and what only looks so."""

from __future__ import annotations

import itertools
import os
import random
import textwrap
from pathlib import Path

import pytest

from tests.knowledge.test_odd_files import pdf, pictured, stream, texts

LATIN = b"<</Type/Font/Subtype/Type1/BaseFont/Courier>>"
CHINESE = b"<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-H/DescendantFonts[<</Type/Font" \
    b"/Subtype/CIDFontType0/BaseFont/STSong-Light/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 0>>" \
    b"/DW 1000>>]>>"
PROSE = " ".join(Path(__file__).parents[2].joinpath("LICENSE").read_text().split("APPENDIX")[0].split()).translate(
    {ord(sign): None for sign in "()"})
LETTERS = "泵阀压力温度传感器系统数值打开关闭测量范围电机扭矩螺栓之后必须每小时检查报警显示面板"
SIZE, PITCH = 8.0, 10.0

Item = tuple[float, float, str]  # left, baseline, text


def page(items: list[Item], before: bytes = b"", figure: bytes = b"null") -> bytes:
    """Return a PDF of one page that draws items in this order, in letters of 8 points: Latin ones 4.8 wide.

    `before` is drawn first and may name the figure P.
    """
    content = [before]
    for x, y, text in items:
        shown = f"/F {SIZE} Tf {x} {y} Td ({text})" if text.isascii() \
            else f"/G {SIZE} Tf {x} {y} Td <{text.encode('utf-16-be').hex()}>"
        content.append(f"BT {shown} Tj ET".encode())
    return pdf([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"
                b"/Resources<</Font<</F 5 0 R/G 6 0 R>>/XObject<</P 7 0 R>>>>>>",
                stream(b"\n".join(content)), LATIN, CHINESE, figure])


def prose(seed: int, width: float, lines: int, language: str = "en") -> list[str]:
    """Return lines of running text: paragraphs of several lines, the last of each shorter."""
    chance = random.Random(seed)
    found: list[str] = []
    while len(found) < lines:
        if language == "zh":
            text = "".join(chance.choice(LETTERS) for _ in range(chance.randint(60, 150))) + "。"
            found += textwrap.wrap(text, int(width / SIZE))
        else:
            start = chance.randrange(len(PROSE) - 600)
            text = PROSE[start:start + chance.randint(200, 500)].split(" ", 1)[1].rsplit(" ", 1)[0]
            found += textwrap.wrap(text.capitalize() + ".", int(width / 4.8), break_long_words=False)
    return found[:lines]


def cell(chance: random.Random, width: float, language: str) -> list[str]:
    """Return the lines of a cell of some words."""
    if language == "zh":
        return textwrap.wrap("".join(chance.choice(LETTERS) for _ in range(chance.randint(4, 70))), int(width / SIZE))
    words = PROSE.split()
    start = chance.randrange(len(words) - 30)
    return textwrap.wrap(" ".join(words[start:start + chance.randint(2, 25)]), int(width / 4.8))


def across(columns: list[list[Item]]) -> list[Item]:
    """Return the columns' lines as they come from top to bottom of the page."""
    return sorted((item for column in columns for item in column), key=lambda item: (-item[1], item[0]))


def plain(text: str) -> str:
    return "".join(text.split()).replace("-", "")


def joins(tmp_path, items: list[Item], runs: list[list[str]]) -> float:
    """Return the share of the runs' neighbouring lines that are neighbours in what is read."""
    read = plain("".join(texts(tmp_path, "a.pdf", page(items))))
    pairs = [plain(a + b) for run in runs for a, b in itertools.pairwise(run)]
    return sum(pair in read for pair in pairs) / len(pairs)


@pytest.mark.parametrize(("language", "count", "drift"), [
    ("en", 2, 0), ("en", 2, 3), ("en", 2, 5), ("en", 3, 0), ("en", 3, 3), ("zh", 2, 0), ("zh", 2, 5), ("zh", 3, 4)])
def test_columns_drawn_across_are_read_one_after_the_other(tmp_path, language, count, drift):
    gap = 16.0
    width = (500 - gap * (count - 1)) / count
    head = [(50, 770, "Journal of tests"), (480, 770, "Volume 7"), (200, 740, "A title over all columns"),
            (120, 725, "A. Author"), (400, 725, "B. Writer")]
    abstract = prose(9, 500, 5, language)
    head += [(50, 700 - PITCH * at, line) for at, line in enumerate(abstract)]
    columns = [prose(seed, width, 50, language) for seed in range(count)]
    body = across([[(50 + k * (width + gap), 630 - drift * k - PITCH * at, line) for at, line in enumerate(column)]
                   for k, column in enumerate(columns)])
    foot = [(295, 40, "12")]
    found = texts(tmp_path, "a.pdf", page(head + body + foot))
    assert found[0].startswith("Journal of tests Volume 7")
    assert found[-1].endswith("12")
    assert joins(tmp_path, head + body + foot, [abstract, *columns]) == 1
    read = plain("".join(found))
    places = [read.index(plain("".join(lines[:4]))) for lines in [abstract, *columns]]
    assert places == sorted(places)


def test_a_table_between_columns_is_read_row_by_row(tmp_path):
    upper, lower = ([prose(seed + more, 242, 14) for seed in (1, 2)] for more in (0, 2))
    rows = [["Pump", "P-100", "31 Nm"], ["Valve", "V-220", "18 Nm"], ["Motor", "M-7", "240 Nm"],
            ["Sensor", "T-9", "2 Nm"]]

    def columns(top, both):
        return across([[(x, top - PITCH * at, line) for at, line in enumerate(lines)]
                       for x, lines in zip((50, 308), both, strict=True)])

    table = [(x, 580 - PITCH * at, cell) for at, row in enumerate(rows)
             for x, cell in zip((60, 330, 450), row, strict=True)]
    assert joins(tmp_path, columns(750, upper) + table + columns(510, lower), [*upper, *rows, *lower]) == 1


def test_a_figure_stands_in_its_column(tmp_path):
    left, right = (prose(seed, 242, 40) for seed in (1, 2))
    columns = [[(50, 700 - PITCH * at, line) for at, line in enumerate(left)],
               [(308, 700 - PITCH * at - (100 if at >= 20 else 0), line) for at, line in enumerate(right)]]
    figure = stream(os.urandom(80 * 80 * 3),
                    b"/Type/XObject/Subtype/Image/Width 80/Height 80/ColorSpace/DeviceRGB/BitsPerComponent 8")
    data = page(across(columns), b"q 200 0 0 90 308 412 cm /P Do Q", figure)
    found, _ = pictured(tmp_path, "a.pdf", data)
    at = found.index("![figure-1.png](image:1)")
    assert found[at - 1].endswith(right[19])
    assert found[at + 1].startswith(right[20])


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("count", "pad"), [(2, 0), (2, 6), (3, 0), (3, 6)])
def test_cells_of_several_lines_stay_in_their_rows(tmp_path, language, count, pad):
    """What is read is line by line, as it is drawn: no cell may go to those of other rows."""
    chance, width, top, items, lines = random.Random(3), 490 / count - 10, 750.0, [], []
    while top > 120:
        cells = [cell(chance, width, language) for _ in range(count)]
        for at in range(max(map(len, cells))):
            printed = [(50 + k * (width + 10), top, one[at]) for k, one in enumerate(cells) if at < len(one)]
            items += printed
            lines.append([text for _, _, text in printed])
            top -= PITCH
        top -= pad
    assert joins(tmp_path, items, [line for line in lines if len(line) > 1]) == 1


def test_code_with_remarks_beside_it_is_read_line_by_line(tmp_path):
    lines = [["    " * (at % 3) + f"value_{at} = read({at}, mode)".replace("(", "[").replace(")", "]"),
              f"# the value of line {at} is what the sensor had"] for at in range(40)]
    items = [(x, 700 - PITCH * at, text) for at, line in enumerate(lines)
             for x, text in zip((50, 270), line, strict=True)]
    assert joins(tmp_path, items, lines) == 1


def test_letters_without_unicode_do_not_move_the_places_of_those_behind(tmp_path):
    """The library counts them, its text does not hold them: the lines below got the edges of other letters."""
    lines = [f"{'a line of one and the same paragraph' * 2} {at}" for at in range(12)]
    items: list[Item] = [(50, 700 - PITCH * at - (20 if at > 5 else 0), line) for at, line in enumerate(lines)]
    data = page(items, b"BT /F 8 Tf 50 720 Td (" + rb"\000" * 40 + b") Tj ET")
    assert texts(tmp_path, "a.pdf", data) == [" ".join(lines[:6]), " ".join(lines[6:])]
