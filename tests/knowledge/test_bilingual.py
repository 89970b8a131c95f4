"""Keywords of the other language: the dictionary, and search by what it says."""

from __future__ import annotations

import io
import random

import pytest

ENTRIES = """# CC-CEDICT
硬盤 硬盘 [ying4 pan2] /hard disk/
光盤 光盘 [guang1 pan2] /compact disc (CD); DVD; CD-ROM/CL:片[pian4]/
北京 北京 [Bei3 jing1] /Beijing, capital of China/
刪除 删除 [shan1 chu2] /to delete/to cancel/
刪 删 [shan1] /to delete/
去掉 去掉 [qu4 diao4] /to get rid of; to exclude; to delete/
如何 如何 [ru2 he2] /how/what way/
亡羊補牢 亡羊补牢 [wang2 yang2 bu3 lao2] /(idiom) to act belatedly/
畫面 画面 [hua4 mian4] /variant of 畫面|画面[hua4 mian4]/
"""


def test_a_dictionary_becomes_words_to_search_by():
    from sparrow.knowledge.bilingual import convert

    chinese, english = convert.word_lists(ENTRIES.splitlines(keepends=True))
    assert chinese == {"硬盘": ["hard disk"], "光盘": ["compact disc", "dvd", "cd rom"], "删除": ["delete", "cancel"],
                       "去掉": ["get rid of", "exclude", "delete"]}
    # First the word whose first meaning it is; English is found in every form of a word.
    assert english["delet"] == ["删除", "去掉"]
    assert english["hard disk"] == ["硬盘"]


TERMS = """delete\t删除\t71
delete\t无法删除\t20
directory\t目录\t86
directory\t不是目录\t13
remove\t移除\t60
remove\t删除\t40
"""


def test_what_programs_say_goes_before_the_dictionary(tmp_path):
    from sparrow.knowledge.bilingual import convert

    chinese, english = convert.term_lists(TERMS.splitlines(keepends=True))
    # The other language first; not what holds one of them; then what is put alike, of the same language.
    assert english["delet"] == ["删除", "remove"]
    assert english["remov"] == ["移除", "删除", "delete"]
    assert english["directori"] == ["目录"]
    assert chinese["删除"] == ["delete", "remove", "移除"]
    assert "不是目录" not in chinese  # too weak

    convert.convert(tmp_path / "lists")
    lines = dict(line.split("\t") for line in (tmp_path / "lists/en.txt").read_text(encoding="utf-8").splitlines())
    assert lines["directori"].split("/")[0] == "目录"
    assert lines["burn"].split("/")[0] == "刻录"
    assert "硬盘" in lines["hard disk"]


def test_every_word_is_found_again():
    from sparrow.knowledge import bilingual

    for language in (bilingual.CHINESE, bilingual.ENGLISH):
        lines = (bilingual.folder() / language).read_text(encoding="utf-8").splitlines()
        assert len(lines) > 50_000
        for line in [lines[0], lines[-1], *random.Random(1).sample(lines, 2000)]:
            word, others = line.split("\t")
            assert bilingual.look_up(word, language) == tuple(others.split("/"))
        for word in ("", "!", "zzzzzz", "龥龥", lines[0][:1] + "\0"):
            assert bilingual.look_up(word, language) == ()
    assert "CC BY-SA" in (bilingual.folder() / "LICENSE").read_text() or \
        "Attribution-ShareAlike" in (bilingual.folder() / "LICENSE").read_text()


@pytest.fixture
def index(database):
    """A function that puts texts into the keyword index of a new base, numbered from a serial; returns its id."""
    from sparrow.knowledge import datasets, keyword
    from sparrow.storage import db

    def make(first: int, texts: list[str]) -> str:
        base = datasets.create(f"from {first}")["id"]
        with db.write() as tx:
            keyword.add(tx, base, [(first + number, keyword.prepare(text)) for number, text in enumerate(texts)])
        keyword._frequency.clear()
        keyword._rows = (0.0, 0)
        return base

    return make


FILLER = [f"Nothing of interest stands in text number {number}, 这里没有什么内容。" for number in range(20)]


def test_words_are_found_by_others_that_are_translated_alike(index):
    from sparrow.knowledge import keyword
    from sparrow.storage import db

    base = index(1, ["Remove the printer from the list of devices.", "从列表中移除打印机。", *FILLER])
    with db.read() as tx:
        assert [serial for serial, _ in keyword.search(tx, [base], "deleting", 10)] == []
        assert 1 in [serial for serial, _ in keyword.translated(tx, [base], "deleting", 10)]
        assert 2 in [serial for serial, _ in keyword.translated(tx, [base], "怎样删除", 10)]


@pytest.mark.parametrize(("question", "right"), [
    ("硬盘坏了怎么办", 1), ("怎样删除打印机", 2), ("hard disks", 3), ("delete the printer", 4)])
def test_words_are_found_in_the_other_language(index, question, right):
    from sparrow.knowledge import keyword
    from sparrow.storage import db

    base = index(1, ["A hard disk that makes noise will fail soon.", "Delete the printer from the list of devices.",
                     "硬盘发出异常声音时应当尽快备份。", "从设备列表中删除打印机。", *FILLER])
    index(101, ["The hard disk of another base.", "另一个库里的硬盘。"])
    with db.read() as tx:
        found = keyword.translated(tx, [base], question, 10)
        assert found[0][0] == right
        assert all(serial < 100 for serial, _ in found)
        assert 0.2 < found[0][1] < 2
        assert keyword.translated(tx, [base], "Xyzzy-17 的", 10) == []


def test_a_question_that_is_hardly_known_counts_little(index):
    """One word of five in the dictionary is no answer: its score is a part of that of a whole match."""
    from sparrow.knowledge import keyword
    from sparrow.storage import db

    base = index(1, ["The printer is in the cellar.", *FILLER])
    with db.read() as tx:
        whole = keyword.translated(tx, [base], "打印机", 10)[0]
        part = keyword.translated(tx, [base], "打印机 qwzx vbnm hjkl tyui", 10)[0]
    assert whole[0] == part[0] == 1
    assert part[1] < whole[1] / 2


def test_search_goes_on_without_the_dictionary(sqlite_database, monkeypatch):
    from sparrow.knowledge import bilingual, datasets, documents, indexing
    from sparrow.knowledge.retrieve import retrieve
    from sparrow.storage import files

    def away():
        raise RuntimeError("no such package")

    monkeypatch.setattr(bilingual, "folder", away)
    monkeypatch.setattr(bilingual, "_maps", {})
    base = datasets.create("manual")
    file = files.save(io.BytesIO(b"Replace the battery once a year."), "a.txt")
    indexing.run(documents.add_files(base["id"], [file["id"]])[0][0]["id"])
    assert len(retrieve("how often is the battery replaced", [base["id"]], count_hits=False)) == 1
