"""Passages of a document without headings carry its first words as their title, in every way a passage is stored."""

from __future__ import annotations

import io

import sqlalchemy as sa

from sparrow.knowledge import chunk
from sparrow.knowledge.parse.blocks import Block

BEGINNING = "Pump A-40/2B, service manual of the year 2024"
FILLER = "It has two screws, a plate of steel and a cover that is painted grey. " * 14
TEXT = f"{BEGINNING}\n\n{FILLER}\n\nThe seal is replaced every 2000 hours.\n\n{FILLER}\n"


def cut(blocks: list[Block], **rule) -> list[chunk.Chunk]:
    return list(chunk.cut(blocks, chunk.rules.parse(None, rule.get("doc_form", "text_model")),
                          rule.get("doc_form", "text_model")))


def test_the_first_words_are_the_title_of_every_passage():
    made = cut([Block(BEGINNING), Block(FILLER), Block(FILLER + "end")])
    assert len(made) > 1
    assert {one.heading[0] for one in made} == {made[0].heading[0]}
    assert all(one.heading[0].startswith(BEGINNING) and len(one.heading[0]) <= 120 for one in made)
    # The embedded model weighs what stands before this mark as a title.
    assert all(chunk.context(one.heading, one.content).partition(chunk.TITLE_END)[0] == one.heading[0]
               for one in made)


def test_headings_of_the_document_are_not_touched():
    made = cut([Block("Preface.", "text"), Block("Oil", "heading", heading=["Oil"]),
                Block(FILLER, heading=["Oil"]), Block("x" * 40, heading=["Oil"])])
    assert [one.heading for one in made][1:] == [["Oil"]] * (len(made) - 1)
    assert made[0].heading == ["Preface."]


def test_rows_code_and_speech_have_no_title():
    for block in (Block("| a | b |\n|---|---|\n| 1 | 2 |", "table"), Block("#!/bin/sh\nexit 1", "code"),
                  Block("Good evening.", place_kind="time", place="0:01")):
        assert [one.heading for one in cut([block, Block(FILLER)])] == [[]] * len(cut([block, Block(FILLER)]))


def test_a_title_holds_no_picture():
    """An import gives pictures other names, and the vectors that come with it would be of another text."""
    made = cut([Block("See the drawing ![valve](/files/0123/) of the valve."), Block(FILLER), Block(FILLER)])
    assert all(one.heading[0].startswith("See the drawing of the valve.") for one in made)


def _hashes(base: str) -> dict[str, str]:
    """Return {hash: text} of a base's units, the text made from what is stored."""
    from sparrow.knowledge import units
    from sparrow.storage import db
    from sparrow.storage.tables import knowledge as t

    with db.read() as tx:
        rows = tx.execute(sa.select(t.units.c.hash, t.segments.c.heading, t.segments.c.content).join(
            t.segments, t.segments.c.id == t.units.c.segment_id).where(t.units.c.dataset_id == base)).all()
    for name, heading, content in rows:
        assert name == units.text_hash(chunk.context(heading or [], content))
    return {name: content for name, _, content in rows}


def test_an_edit_an_import_and_a_new_index_keep_the_title(sqlite_database, tmp_path, monkeypatch):
    from sparrow.knowledge import datasets, documents, indexing, segments, transfer
    from sparrow.knowledge.embed import builtin
    from sparrow.storage import files

    base = datasets.create("pumps")
    document = documents.add_files(base["id"], [files.save(io.BytesIO(TEXT.encode()), "pump.txt")["id"]])[0][0]
    indexing.run(document["id"])
    before = _hashes(base["id"])
    rows = segments.search(document["id"])[0]
    assert len(rows) > 1
    assert rows[-1]["heading"][0].startswith(BEGINNING)
    segments.update(datasets.get(base["id"]), documents.get(base["id"], document["id"]), rows[-1], content="Changed.")
    assert len(set(_hashes(base["id"])) & set(before)) == len(before) - 1
    segments.update(datasets.get(base["id"]), documents.get(base["id"], document["id"]),
                    segments.search(document["id"])[0][-1], content=rows[-1]["content"])
    assert _hashes(base["id"]) == before

    encode = builtin.encode_passages

    def refuse(texts):
        raise AssertionError(f"{len(texts)} texts are embedded twice")

    monkeypatch.setattr(builtin, "encode_passages", refuse)
    documents.reindex(base["id"], document["id"])
    indexing.run(document["id"])
    assert documents.get(base["id"], document["id"])["indexing_status"] == "completed"
    assert _hashes(base["id"]) == before
    target = tmp_path / "base.zip"
    with open(target, "wb") as out:
        for piece in transfer.export(base["id"])[1]:
            out.write(piece)
    assert _hashes(transfer.load(target)) == before
    monkeypatch.setattr(builtin, "encode_passages", encode)
