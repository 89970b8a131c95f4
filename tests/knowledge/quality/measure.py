"""Recall and mean reciprocal rank of each search method on real bilingual documents.

    python -m tests.knowledge.quality.measure [tune|report] [--misses]

Two sets over different documents. `tune` chose the defaults: chapters 6, 9 and 10 of the Debian Reference (GPL-2+) in
English and Chinese and sections 2, 3 and 7 of the Chinese manual pages of manpages-zh (GFDL and GPL). `report` was
written before any tuning and is only looked at: the book's other chapters and sections 1, 5 and 8 of the pages. Each
line of a .tsv names the sections or pages that answer, the one it was written for first, and asks in both languages:
as one would ask (paraphrase) or by an exact code. A passage is right if it stands there. "cross" asks in one language a
base that holds only the other; an English question for a manual page is cross-lingual in itself. Needs the Debian
packages debian-reference-en, debian-reference-zh-cn, manpages-zh.

Which others answer was judged once, for every question of both sets, on the first three hits of all methods together,
in random order and without their method or rank. An answer states what was asked, or names the command, setting or file
that does it; for a code, it says what each of its words is or shows it at work. One that only refers to another section
does not answer, nor do tables of contents.
"""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
BOOK = Path("/usr/share/debian-reference")
PAGES = Path("/usr/share/man/zh_CN")
CHAPTERS = {"tune": ("ch06", "ch09", "ch10"),
            "report": ("ch01", "ch02", "ch03", "ch04", "ch05", "ch07", "ch08", "ch11", "ch12")}
SECTIONS = {"tune": ("man2", "man3", "man7"), "report": ("man1", "man5", "man8")}
QUESTIONS = {"tune": "questions.tsv", "report": "report.tsv"}
LANGUAGES = ("en", "zh-cn")
METHODS = ("hybrid_search", "semantic_search", "full_text_search")


def questions(part: str) -> list[dict]:
    """Return the questions of a set: section, kind, language, text."""
    out = []
    for line in (HERE / QUESTIONS[part]).read_text(encoding="utf-8").splitlines():
        section, kind, english, chinese = line.split("\t")
        for language, text in zip(LANGUAGES, (english, chinese), strict=True):
            out.append({"section": section, "kind": kind, "language": language, "text": text})
    return out


def sources(part: str, languages: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """Return (name, content) of a set's documents in some languages."""
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


def plain(roff: str) -> str:
    """Return a manual page's text without its formatting (troff itself never ends on some of these pages)."""
    lines = []
    for line in roff.splitlines():
        if line.startswith((".\\\"", "'\\\"", "'\\\" t")):
            continue
        line = re.sub(r"^[.']\s*([A-Za-z]{1,3})\b ?",
                      lambda m: "\n" if m[1] in ("SH", "SS", "PP", "TP", "IP") else "", line)
        line = re.sub(r"\\f(?:\[\w*\]|\(..|.)|\\s[-+]?\d+|\\[&|^/,]", "", line)
        lines.append(re.sub(r"\\(.)", r"\1", line))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


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

    "9.4." is the section's own text without that of its parts.
    """
    if " " in section:
        return any(right(passage, one) for one in section.split())
    if section.startswith("man:"):
        return passage.document_name == section[4:] + ".txt"
    lead = [re.match(r"[\d.]+", title) for title in passage.heading]
    found = [match[0].strip(".") for match in lead if match]
    # A chunk that joins small sections stands in the first and names the others in its text; a chapter's table of
    # contents names them all and answers nothing.
    inside = re.findall(r"^(\d+(?:\.\d+)+)\. ", passage.content, re.M)
    if len(inside) > 4:
        inside = []
    if section.endswith("."):
        return section[:-1] in [*found[-1:], *inside]
    return any(number == section or number.startswith(section + ".") for number in [*found, *inside])


def score(bases: dict[str, str], method: str, chosen: list[dict], misses: list | None = None
          ) -> dict[str, tuple[float, float, float, int]]:
    """Return {group: (recall@1, recall@3, MRR, questions)} of a method."""
    from sparrow.knowledge.retrieve import retrieve

    ranks: dict[str, list[int]] = defaultdict(list)
    for entry in chosen:
        groups = {"all": bases["both"], entry["kind"]: bases["both"]}
        if entry["kind"] == "paraphrase" and not entry["section"].startswith("man:"):
            groups["cross"] = bases["zh-cn" if entry["language"] == "en" else "en"]
        found: dict[str, int] = {}
        for group, base in groups.items():
            if base not in found:
                passages = retrieve(entry["text"], [base], {"search_method": method, "top_k": 10}, count_hits=False)
                found[base] = next((rank for rank, passage in enumerate(passages, 1)
                                    if right(passage, entry["section"])), 0)
                if misses is not None and group == "all" and found[base] != 1:
                    misses.append((entry, found[base], [(p.heading[-1:], p.document_name, round(p.score, 3))
                                                        for p in passages[:4]]))
            ranks[group].append(found[base])
    return {group: (sum(rank == 1 for rank in values) / len(values),
                    sum(1 <= rank <= 3 for rank in values) / len(values),
                    sum(1 / rank for rank in values if rank) / len(values), len(values))
            for group, values in ranks.items()}


def run(parts: tuple[str, ...] = ("tune", "report"), misses: list | None = None
        ) -> dict[tuple[str, str], dict[str, tuple[float, float, float, int]]]:
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
    lines = ["| set | method | group | questions | recall@1 | recall@3 | MRR |", "|---|---|---|---|---|---|---|"]
    for (part, method), groups in results.items():
        for group, (first, third, mean, count) in sorted(groups.items()):
            lines.append(f"| {part} | {method} | {group} | {count} | {first:.3f} | {third:.3f} | {mean:.3f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure in a temporary data folder and print the table."""
    import os
    import sys
    import tempfile

    parts = tuple(part for part in ("tune", "report") if part in sys.argv[1:]) or ("tune", "report")
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
