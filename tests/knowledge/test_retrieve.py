"""Scores, conditions and methods of retrieval."""

from __future__ import annotations

import io
import json

import pytest


@pytest.fixture
def library(sqlite_database):
    """A function that makes a base of texts: name, {file name: text} to the base's id."""
    from sparrow.knowledge import datasets, documents, indexing
    from sparrow.storage import files

    def make(name: str, texts: dict[str, str], process_rule: dict | None = None, **options) -> str:
        base = datasets.create(name, **options)
        for title, text in texts.items():
            file = files.save(io.BytesIO(text.encode()), title)
            row = documents.add_files(base["id"], [file["id"]], process_rule=process_rule)[0][0]
            indexing.run(row["id"])
            assert documents.get(base["id"], row["id"])["indexing_status"] == "completed"
        return base["id"]

    return make


def test_a_small_base_beside_a_large_one_scores_the_same(library):
    """The name of the base restricts the search and has no weight in the score."""
    from sparrow.knowledge import keyword
    from sparrow.storage import db

    small = library("small", {"a.md": "The error E-4711 means that the valve is stuck."})
    with db.read() as tx:
        before = keyword.search(tx, [small], "E-4711 valve", 10)
    library("large", {f"{i}.md": f"Nothing of interest is in text {i}." for i in range(12)})
    keyword._frequency.clear()
    keyword._rows = (0.0, 0)
    with db.read() as tx:
        after = keyword.search(tx, [small], "E-4711 valve", 10)
        none = keyword.search(tx, [small], "interest", 10)
    assert len(before) == len(after) == 1
    assert 0.7 < after[0][1] < 2.3
    assert none == []


def test_words_are_counted_anew_when_the_index_has_grown(library):
    """Remembered for a minute, the counts of a small index would have a large one ranked nearly whole."""
    from sparrow.knowledge import keyword
    from sparrow.storage import db

    def counted(base: str) -> int:
        with db.read() as tx:
            keyword.search(tx, [base], "valve", 10)
            return keyword._frequencies(tx, ["valve"])["valve"]

    text = "\n\n".join(f"Valve {number} is stuck." for number in range(60))
    rule = {"mode": "custom", "rules": {"pre_processing_rules": [], "segmentation": {
        "separator": "\n\n", "max_tokens": 50, "chunk_overlap": 0}}}
    base = library("few", {"0.md": text}, process_rule=rule)
    before = counted(base)
    assert before > 50  # so that it is remembered for long
    assert counted(library("many", {f"{number}.md": text for number in range(3)}, process_rule=rule)) == 4 * before


def test_the_index_may_grow_between_two_counts(library):
    """The number of rows is remembered for a moment, the frequency of a word for another."""
    from sparrow.knowledge import keyword
    from sparrow.storage import db

    base = library("growing", {"0.md": "The valve is stuck."})
    keyword._frequency.clear()
    keyword._rows = (0.0, 0)
    with db.read() as tx:
        keyword._size(tx)
    for number in range(1, 4):
        base = library(f"growing {number}", {"a.md": "The valve is stuck."})
    keyword._frequency.clear()
    with db.read() as tx:
        found = keyword.search(tx, [base], "valve", 10)
    assert len(found) == 1
    assert found[0][1] >= 0


def test_a_title_weighs_as_much_as_a_long_text(library):
    from sparrow.knowledge.retrieve import retrieve

    filler = "It has two screws, a plate of steel and a cover that is painted grey. " * 12
    base = library("manual", {"m.md": f"# Cleaning the filter\n\n{filler}\n\n# Replacing the battery\n\n{filler}\n\n"
                                      f"# Oil change\n\n{filler}"})
    for question, title in (("怎样更换电池", "Replacing the battery"),
                            ("how do I clean the filter", "Cleaning the filter")):
        first = retrieve(question, [base], {"search_method": "semantic_search"}, count_hits=False)[0]
        assert first.heading == [title]


def test_a_base_whose_embedding_model_fails_is_searched_by_its_words(library):
    """For a chat, which is told; a base that is searched by meaning alone cannot answer, the others do."""
    from sparrow.errors import SparrowError
    from sparrow.knowledge.retrieve import retrieve
    from sparrow.storage import db
    from sparrow.storage.tables import knowledge as t

    lost = library("Lost", {"pump.md": "The seal ring S-077 is changed every year."})
    other = library("Other", {"valve.md": "The seal of the valve is blue."})
    with db.write() as tx:
        tx.execute(t.datasets.update().where(t.datasets.c.id == lost).values(
            embedding_model="gone", embedding_model_provider="openai"))
    with pytest.raises(SparrowError, match="gone"):
        retrieve("seal ring S-077", [lost, other], {"search_method": "hybrid_search", "top_k": 3})
    away: list[dict] = []
    found = retrieve("seal ring S-077", [lost, other], {"search_method": "hybrid_search", "top_k": 3}, away=away)
    assert [passage.dataset_id for passage in found] == [lost, other]
    assert [(one["dataset_id"], one["by_words"], "gone" in one["error"]) for one in away] == [(lost, True, True)]
    away.clear()
    found = retrieve("seal ring S-077", [lost, other], {"search_method": "semantic_search", "top_k": 3}, away=away)
    assert [passage.dataset_id for passage in found] == [other]
    assert [one["dataset_id"] for one in away] == [lost]
    with pytest.raises(SparrowError, match="gone"):
        retrieve("seal ring S-077", [lost], {"search_method": "semantic_search", "top_k": 3}, away=[])


def test_difys_usual_weights_are_the_measured_balance_and_others_move_it(library):
    from sparrow.knowledge.retrieve import retrieve

    base = library("Weights", {"ring.md": "S-077: a cat sleeps on the sofa.",
                               "leak.md": "If water drips from the machine, replace the gasket."})

    def found(vector: float | None, keyword: float | None) -> list[tuple[str, float]]:
        weights = {"weights": {"vector_setting": {"vector_weight": vector},
                               "keyword_setting": {"keyword_weight": keyword}}} if vector is not None else {}
        return [(passage.document_name, passage.score) for passage in retrieve(
            "S-077 water leaks out", [base], {"search_method": "hybrid_search", "top_k": 2, **weights})]

    assert found(0.7, 0.3) == found(None, None)
    assert found(0.0, 1.0)[0][0] == "ring.md"
    assert found(1.0, 0.0)[0][0] == "leak.md"
    assert len(found(0.0, 0.0)) == 2  # nonsense, but no reason to fail


def test_a_threshold_means_the_same_by_meaning_as_by_both(library):
    """The embedded model's cosines of right passages are about a half: at 0.5 nearly all would be left out."""
    from sparrow.knowledge.retrieve import retrieve

    base = library("Threshold", {"ring.md": "The seal ring of the pump is changed every year.",
                                 "cat.md": "A cat sleeps on the sofa in the living room."})
    for method in ("semantic_search", "hybrid_search"):
        found = retrieve("How often is the seal of the pump replaced?", [base], {
            "search_method": method, "top_k": 2, "score_threshold_enabled": True, "score_threshold": 0.5})
        assert [passage.document_name for passage in found] == ["ring.md"], method
        assert found[0].score < 1


def test_a_model_reads_conditions_out_of_the_question(library, monkeypatch):
    from sparrow.engine.ports import RetrievalRequest
    from sparrow.knowledge import documents, fields, port

    base = library("reports", {"2023.md": "Revenue was good.", "2024.md": "Revenue was better."})
    field = fields.create_field(base, "year", "number")
    rows = documents.search(base)[0]
    fields.set_values(base, [fields.DocumentMetadata(row["id"], [
        fields.MetadataValue(field["id"], "year", int(row["name"][:4]))]) for row in rows])
    asked = []

    def asker(reply):
        return lambda config: lambda prompt: asked.append(prompt) or reply

    def found(reply):
        monkeypatch.setattr(port, "_asker", asker(reply))
        return {entry["title"] for entry in port.Port().retrieve(RetrievalRequest(
            "revenue of 2024", [base], filter_mode="automatic"))}

    assert found('Here: [{"name": "year", "comparison_operator": "=", "value": 2024}]') == {"2024.md"}
    assert "year (number), for example: 20" in asked[0]
    # What the model makes up restricts nothing.
    assert found('[{"name": "colour", "comparison_operator": "is", "value": "red"}]') == {"2023.md", "2024.md"}
    assert found('[{"name": "year", "comparison_operator": "like", "value": 2024}]') == {"2023.md", "2024.md"}
    assert found("I do not know.") == {"2023.md", "2024.md"}


def test_another_section_goes_before_more_of_the_same(library, monkeypatch):
    """Of passages that fit about equally well, those of one section do not take all places."""
    from sparrow.knowledge.retrieve import retrieve, search

    part = "The pump of the boiler is cleaned with vinegar, then rinsed with water and dried. "
    base = library("pumps", {"m.md": "# Cleaning\n\n" + f"{part * 14}\n\n" * 3
                                     + f"# Maintenance\n\n{part * 9} It is oiled once a year by the maker's service."})

    def found(method: str) -> list[list[str]]:
        passages = retrieve("how is the pump of the boiler cleaned", [base], {"search_method": method, "top_k": 4},
                            count_hits=False)
        return [passage.heading for passage in passages[:2]]

    assert found("hybrid_search") == [["Cleaning"], ["Maintenance"]]
    assert found("semantic_search") == [["Cleaning"]] * 2
    monkeypatch.setattr(search, "SAME_SECTION", 1.0)
    assert found("hybrid_search") == [["Cleaning"]] * 2


@pytest.mark.parametrize("question", ["Network settings", "网络设置"])
def test_a_question_that_is_a_heading_finds_its_section(library, monkeypatch, question):
    from sparrow.knowledge.retrieve import retrieve, search

    filler = "It has two screws, a plate of steel and a cover that is painted grey. " * 12
    base = library("guide", {"g.md": "\n\n".join((
        f"# Network settings of the console\n\nThe console has its own network settings. Network settings: {filler}",
        f"# Network settings\n\nThe address and the gateway are asked for at the first start. {filler}",
        f"# Mirror settings\n\nA mirror in the same network is faster. {filler}"))})

    def first() -> list[str]:
        passages = retrieve(question, [base], {"search_method": "hybrid_search"}, count_hits=False)
        assert len({passage.score for passage in passages}) == len(passages) > 2
        assert passages[0].score < 1
        return passages[0].heading

    assert first() == ["Network settings"]
    monkeypatch.setattr(search, "TITLE_SHARE", 0.0)
    assert first() == ["Network settings of the console"]


@pytest.mark.parametrize(("question", "heading", "low", "high"), [
    ("Booting from a USB stick", "4.2. Booting from a USB stick", 1, 1),
    ("how do I boot from a USB stick", "Booting from USB sticks", 0.99, 1),
    ("网络设置", "Network settings", 0.9, 1),
    ("Network settings", "B.4.2. 网络设置", 0.9, 1),
    ("Network settings", "Configuring the network", 0.2, 0.5),
    ("Network settings", "The keyboard", 0, 0),
    ("的", "网络设置", 0, 0), ("Network settings", "", 0, 0)])
def test_how_far_a_title_is_the_question(question, heading, low, high):
    from sparrow.knowledge.retrieve import titles

    match = titles.matcher(question)
    assert low <= match(["Above", heading]) <= high
    assert match(json.dumps(["Above", heading], ensure_ascii=False)) == match(["Above", heading])
    assert match(None) == match([]) == 0
