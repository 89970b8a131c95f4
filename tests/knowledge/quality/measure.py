"""Recall and mean reciprocal rank of each search method on real bilingual documents.

    python -m tests.knowledge.quality.measure

The documents are chapters of the Debian Reference (GPL-2+) in English and Chinese, as Debian packages them. Each
line of questions.tsv names the section that answers, and asks for it in both languages: as one would ask (paraphrase)
or by an exact code. A passage is right if it stands in that section. "cross" asks in one language a base that holds
only the other. Odd lines chose the defaults; even lines are reported apart.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
BOOK = Path("/usr/share/debian-reference")
CHAPTERS = ("ch06", "ch09", "ch10")
LANGUAGES = ("en", "zh-cn")
METHODS = ("hybrid_search", "semantic_search", "full_text_search")


def questions() -> list[dict]:
    """Return all questions: section, kind, language, text, and the set they belong to (tune or report)."""
    out = []
    for number, line in enumerate((HERE / "questions.tsv").read_text(encoding="utf-8").splitlines()):
        section, kind, english, chinese = line.split("\t")
        for language, text in zip(LANGUAGES, (english, chinese), strict=True):
            out.append({"section": section, "kind": kind, "language": language, "text": text,
                        "set": "report" if number % 2 else "tune"})
    return out


def build(languages: tuple[str, ...], name: str) -> str:
    """Index the book's chapters in some languages into a base of its own; return its id."""
    from sparrow.knowledge import datasets, documents, indexing
    from sparrow.storage import files

    base = datasets.create(name)
    for language in languages:
        for chapter in CHAPTERS:
            with open(BOOK / f"{chapter}.{language}.html", "rb") as page:
                file = files.save(page, f"{chapter}.{language}.html")
            row = documents.add_files(base["id"], [file["id"]])[0][0]
            indexing.run(row["id"])
            row = documents.get(base["id"], row["id"])
            assert row["indexing_status"] == "completed", row["error"]
    return base["id"]


def right(passage, section: str) -> bool:
    """Tell whether a passage stands in a section (or in a part of it)."""
    lead = [re.match(r"[\d.]+", title) for title in passage.heading]
    found = [match[0].strip(".") for match in lead if match]
    # A chunk that joins small sections stands in the first and names the others in its text.
    inside = re.findall(r"^(\d+(?:\.\d+)+)\. ", passage.content, re.M)
    return any(number == section or number.startswith(section + ".") for number in [*found, *inside])


def score(bases: dict[str, str], method: str, chosen: list[dict]) -> dict[str, tuple[float, float, float, int]]:
    """Return {group: (recall@1, recall@3, MRR, questions)} of a method."""
    from sparrow.knowledge.retrieve import retrieve

    ranks: dict[str, list[int]] = defaultdict(list)
    for entry in chosen:
        groups = {"all": bases["both"], entry["kind"]: bases["both"]}
        if entry["kind"] == "paraphrase":
            groups["cross"] = bases["zh-cn" if entry["language"] == "en" else "en"]
        found: dict[str, int] = {}
        for group, base in groups.items():
            if base not in found:
                passages = retrieve(entry["text"], [base], {"search_method": method, "top_k": 10}, count_hits=False)
                found[base] = next((rank for rank, passage in enumerate(passages, 1)
                                    if right(passage, entry["section"])), 0)
            ranks[group].append(found[base])
    return {group: (sum(rank == 1 for rank in values) / len(values),
                    sum(1 <= rank <= 3 for rank in values) / len(values),
                    sum(1 / rank for rank in values if rank) / len(values), len(values))
            for group, values in ranks.items()}


def run() -> dict[tuple[str, str], dict[str, tuple[float, float, float, int]]]:
    """Build the bases and return {(set, method): scores}."""
    bases = {"both": build(LANGUAGES, "both"), "en": build(("en",), "en"), "zh-cn": build(("zh-cn",), "zh-cn")}
    out = {}
    for part in ("tune", "report"):
        chosen = [entry for entry in questions() if entry["set"] == part]
        for method in METHODS:
            out[part, method] = score(bases, method, chosen)
    return out


def table(results) -> str:
    """Return the results as a Markdown table."""
    lines = ["| set | method | group | questions | recall@1 | recall@3 | MRR |", "|---|---|---|---|---|---|---|"]
    for (part, method), groups in results.items():
        for group, (first, third, mean, count) in sorted(groups.items()):
            lines.append(f"| {part} | {method} | {group} | {count} | {first:.3f} | {third:.3f} | {mean:.3f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure in a temporary data folder and print the table."""
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config").mkdir()
        os.environ.update(SPARROW_DATA_DIR=folder, SPARROW_RUN_DIR=folder + "/run", SPARROW_DEV="1")
        from sparrow.storage import migrate

        migrate.upgrade()
        print(table(run()))


if __name__ == "__main__":
    main()
