"""Recall and mean reciprocal rank of each search method on real bilingual documents.

    python -m tests.knowledge.quality.measure [tune|report|other|manuals|handbook|guide] [--misses]

Sets over different documents. `tune` chose the defaults: chapters 6, 9 and 10 of the Debian Reference (GPL-2+) in
English and Chinese and sections 2, 3 and 7 of the Chinese manual pages of manpages-zh (GFDL and GPL). `report` was
written before any tuning and is only looked at: the book's other chapters and sections 1, 5 and 8 of the pages. Each
line of a .tsv names the sections or pages that answer, the one it was written for first, and asks in both languages:
as one would ask (paraphrase) or by an exact code. A passage is right if it stands there. "cross" asks in one language a
base that holds only the other; an English question for a manual page is cross-lingual in itself. Needs the Debian
packages debian-reference-en, debian-reference-zh-cn, manpages-zh.

`other` (see other.py) is smaller, of technical guides and help pages: what a change does to `tune` is to hold there.
`manuals` (see manuals.py) is of what users upload, and was written before any search was seen: it is only looked at.
`handbook` and `guide` (see headings.py) ask for sections by what they are called, in both languages.

Which others answer was judged for every question on the first three hits of all methods together, in random order and
without their method or rank. An answer states what was asked, or names the command, setting or file
that does it; for a code, it says what each of its words is or shows it at work. One that only refers to another section
does not answer, nor do tables of contents. wrong.tsv holds what was found not to answer: so the table can say how many
of the first three nobody has judged, and only those are to be looked at after a change.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter, defaultdict
from pathlib import Path

from . import headings, manuals, other
from .pages import plain

HERE = Path(__file__).parent
BOOK = Path("/usr/share/debian-reference")
PAGES = Path("/usr/share/man/zh_CN")
CHAPTERS = {"tune": ("ch06", "ch09", "ch10"),
            "report": ("ch01", "ch02", "ch03", "ch04", "ch05", "ch07", "ch08", "ch11", "ch12")}
SECTIONS = {"tune": ("man2", "man3", "man7"), "report": ("man1", "man5", "man8")}
QUESTIONS = {"tune": "questions.tsv", "report": "report.tsv", "other": "other.tsv",
             "manuals": "manuals.tsv"}
WRONG = "wrong.tsv"  # by the English question
LANGUAGES = ("en", "zh-cn")
_INSIDE = re.compile(r"^(\d+(?:\.\d+)+)\. ", re.M)
METHODS = ("hybrid_search", "semantic_search", "full_text_search")


def questions(part: str) -> list[dict]:
    """Return the questions of a set: section, kind, language, text, places that were judged not to answer."""
    if part in headings.BOOKS:
        return [{"section": section, "kind": "heading", "language": language, "text": text, "wrong": ()}
                for section, *texts in headings.questions(part)
                for language, text in zip(LANGUAGES, texts, strict=True)]
    out = []
    wrong = dict(line.split("\t") for line in (HERE / WRONG).read_text(encoding="utf-8").splitlines())
    for line in (HERE / QUESTIONS[part]).read_text(encoding="utf-8").splitlines():
        section, kind, english, chinese = line.split("\t")
        for language, text in zip(LANGUAGES, (english, chinese), strict=True):
            out.append({"section": section, "kind": kind, "language": language, "text": text,
                        "wrong": wrong.get(english, "").split()})
    return out


def sources(part: str, languages: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """Return (name, content) of a set's documents in some languages."""
    if part == "other":
        return other.sources(languages)
    if part == "manuals":
        return manuals.sources(languages)
    if part in headings.BOOKS:
        return headings.sources(part, languages)
    out = [(f"{chapter}.{language}.html", (BOOK / f"{chapter}.{language}.html").read_bytes())
           for language in languages for chapter in CHAPTERS[part]]
    if languages == LANGUAGES:
        # The pages asked for among others that look alike.
        asked = {one.removeprefix("man:") for entry in questions(part) for one in entry["section"].split()}
        for folder in SECTIONS[part]:
            for number, page in enumerate(sorted((PAGES / folder).glob("*.gz"))):
                if number % 5 and page.name.removesuffix(".gz") not in asked:
                    continue
                text = plain(gzip.decompress(page.read_bytes()).decode("utf-8", "replace")).encode()
                if len(text) > 200:
                    out.append((page.name.removesuffix(".gz") + ".txt", text))
    return out


def build(part: str, languages: tuple[str, ...], name: str) -> str:
    """Index a set's documents in some languages into a base of its own; return its id."""
    import io

    from sparrow.knowledge import datasets, documents, indexing
    from sparrow.storage import files

    base = datasets.create(name)
    for title, data in sources(part, languages):
        file = files.save(io.BytesIO(data), title)
        row = documents.add_files(base["id"], [file["id"]])[0][0]
        indexing.run(row["id"])
        row = documents.get(base["id"], row["id"])
        assert row["indexing_status"] == "completed", row["error"]
    return base["id"]


def right(passage, section: str) -> bool:
    """Tell whether a passage stands in a section (or a part of it) or a manual page, or in one of several.

    "9.4." is the section's own text without that of its parts, "2." a chapter's.
    """
    if " " in section:
        return any(right(passage, one) for one in section.split())
    if section.startswith("man:"):
        return passage.document_name == section[4:] + ".txt"
    if section.startswith("help:") or "__" in passage.document_name:
        return place(passage) == section
    found, inside = _numbers(passage)
    if section.endswith("."):
        return section[:-1] in [*found[-1:], *inside] and not _contents(passage)
    return any(number == section or number.startswith(section + ".") for number in [*found, *inside])


def place(passage) -> str:
    """Return the section or manual page a passage stands in, as the lists of answers name it."""
    if passage.document_name.endswith(".txt"):
        return "man:" + passage.document_name.removesuffix(".txt")
    if "__" in passage.document_name:
        return "help:" + passage.document_name.split(".")[0].replace("__", "/")
    return (_numbers(passage)[0] or [passage.document_name])[-1]


def _numbers(passage) -> tuple[list[str], list[str]]:
    """Return the numbers of the headings above a passage and of those in it."""
    if manuals.has(passage.document_name):
        return manuals.numbers(passage.document_name, passage.heading, passage.content)
    lead = [re.match(r"(?:Chapter |第 )?(\d[\d.]*)", title) for title in passage.heading]
    # A chunk that joins small sections stands in the first and names the others in its text; a chapter's table of
    # contents names them all and answers nothing.
    return [match[1].strip(".") for match in lead if match], [] if _contents(passage) else _INSIDE.findall(
        passage.content)


def _contents(passage) -> bool:
    return len(_INSIDE.findall(passage.content)) > 4


def score(bases: dict[str, str], method: str, chosen: list[dict], misses: list | None = None
          ) -> dict[str, tuple[float, float, float, int, int]]:
    """Return {group: (recall@1, recall@3, MRR, questions, passages in the first three that nobody judged)}."""
    from sparrow.knowledge.retrieve import retrieve

    ranks: dict[str, list[int]] = defaultdict(list)
    unjudged: Counter[str] = Counter()
    for entry in chosen:
        groups = dict.fromkeys(("all", entry["kind"], entry["language"], _source(entry)), bases["both"])
        if entry["kind"] != "exact" and _source(entry) != "pages":
            groups["cross"] = bases["zh-cn" if entry["language"] == "en" else "en"]
        found: dict[str, tuple[int, int]] = {}
        for group, base in groups.items():
            if base not in found:
                passages = retrieve(entry["text"], [base], {"search_method": method, "top_k": 10}, count_hits=False)
                answers = [right(passage, entry["section"]) for passage in passages]
                rank = answers.index(True) + 1 if True in answers else 0
                found[base] = rank, sum(
                    not answer and not _contents(passage) and place(passage) not in entry["wrong"]
                    for passage, answer in zip(passages[:3], answers, strict=False))
                if misses is not None and group == "all" and rank != 1:
                    misses.append((entry, rank, [(p.heading[-1:], p.document_name, round(p.score, 3))
                                                 for p in passages[:4]]))
            ranks[group].append(found[base][0])
            unjudged[group] += found[base][1]
    return {group: (sum(rank == 1 for rank in values) / len(values),
                    sum(1 <= rank <= 3 for rank in values) / len(values),
                    sum(1 / rank for rank in values if rank) / len(values), len(values), unjudged[group])
            for group, values in ranks.items()}


def _source(entry: dict) -> str:
    if manuals.has(entry["section"]):
        return entry["section"].partition("-")[0]
    return "pages" if entry["section"].startswith("man:") else "book"


def run(parts: tuple[str, ...] = ("tune", "report"), misses: list | None = None
        ) -> dict[tuple[str, str], dict[str, tuple[float, float, float, int, int]]]:
    """Build the bases and return {(set, method): scores}; the misses of the hybrid search go into `misses`."""
    out = {}
    for part in parts:
        bases = {"both": build(part, LANGUAGES, f"{part} both"), "en": build(part, ("en",), f"{part} en"),
                 "zh-cn": build(part, ("zh-cn",), f"{part} zh")}
        for method in METHODS:
            out[part, method] = score(bases, method, questions(part),
                                      misses if method == "hybrid_search" else None)
    return out


def table(results) -> str:
    """Return the results as a Markdown table."""
    lines = ["| set | method | group | questions | recall@1 | recall@3 | MRR | not judged |",
             "|---|---|---|---|---|---|---|---|"]
    for (part, method), groups in results.items():
        for group, (first, third, mean, count, unjudged) in sorted(groups.items()):
            lines.append(f"| {part} | {method} | {group} | {count} | {first:.3f} | {third:.3f} | {mean:.3f} "
                         f"| {unjudged} |")
    return "\n".join(lines)


def main() -> None:
    """Measure in a temporary data folder and print the table; one for each set, as bases share word counts."""
    import os
    import subprocess
    import sys
    import tempfile

    parts = tuple(part for part in (*QUESTIONS, *headings.BOOKS) if part in sys.argv[1:]) or ("tune", "report")
    if len(parts) > 1:
        for part in parts:
            subprocess.run([sys.executable, "-m", __spec__.name, part, *set(sys.argv[1:]) - set(parts)], check=True)
        return
    misses = [] if "--misses" in sys.argv else None
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config").mkdir()
        os.environ.update(SPARROW_DATA_DIR=folder, SPARROW_RUN_DIR=folder + "/run", SPARROW_DEV="1")
        from sparrow.storage import migrate

        migrate.upgrade()
        print(table(run(parts, misses)))
    for entry, rank, found in misses or ():
        print(entry["section"], entry["kind"], entry["text"], "rank", rank, *found)


if __name__ == "__main__":
    main()
