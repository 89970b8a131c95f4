"""Train the map of questions that the embedded model's vectors are turned by (app/sparrow/knowledge/embed/query.npy).

    python -m tests.knowledge.quality.train_adapter WORK [--without GROUP]

WORK is a folder for about 1 GB of unpacked packages and vectors; half an hour of one core. `train_texts` says what the
texts are and under which licences. A pair is a question-like text and the passages it belongs to: a title, a title in
a question's form, a title after the one above it, index words and summaries of a page, a sentence taken out of its
passage; and each of them with the passages of the section's translation. Of the passages' own titles only those are
mixed in that the question was not made from.

The map starts as the identity and is held to it. Nothing is taken from the two quality sets; how many steps, how
tightly it is held and of what rank it is was chosen on the tuning half, where many settings did as well. `--without`
leaves a group out and prints how questions of that group find their passages, before and after.

What is shipped was trained by these steps on another draw of the same texts (20,618 passages, 54,810 questions), so a
new run gives other numbers, not the same bits. A map that has seen no LibreOffice help found its passages by titles,
questions and index words at recall@1 0.16 and recall@3 0.31, the model alone at 0.12 and 0.22.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np

from sparrow.knowledge.embed import builtin

from . import train_texts
from .train_texts import chinese

MOST = {"libreoffice": 3000, "gimp": 900, "postgres": 900, "git": 700, "lilypond": 200, "devref": 400}  # sections
SHARES = {"title": 0.2, "form": 0.2, "path": 0.05, "hint": 0.25, "cloze": 0.15, "sentence": 0.15}  # of the steps
OWN_TITLE = {"cloze": 0.4, "sentence": 0.4, "hint": 0.4}  # how often a passage may show its title
STEPS, BATCH, POOL, TAU, RATE, HOLD = 700, 256, 2500, 0.05, 5e-4, 0.03
RANK = 128  # of what the map adds to a question's vector
_FORMS = {False: ("How do I {}?", "what is {}", "how to {}", "Where can I find {}?", "explain {}", "{} does not work"),
          True: ("怎样{}？", "如何{}", "什么是{}？", "{}是什么意思", "{}怎么办", "请问{}怎么用？")}
_GENERIC = frozenset((
    "name", "synopsis", "description", "notes", "overview", "introduction", "examples", "options", "compatibility",
    "parameters", "outputs", "author", "authors", "bugs", "history", "example", "environment", "files", "index",
    "syntax", "参见", "示例", "概述", "简介", "语法", "see also", "return value", "activate dialog",
    "activating the dialog", "activate the command"))
_SENTENCE = re.compile(r"(?<=[。！？；])|(?<=[.!?])\s+|\n")


class Pairs:
    """Questions and passages with the vectors of their texts."""

    def __init__(self, sections: list[train_texts.Section], seed: int = 5):
        self.texts: dict[str, int] = {}
        self.passages: list[dict] = []
        self.questions: list[dict] = []
        self._random = random.Random(seed)
        clusters: dict[tuple, list] = {}
        for section in sections:
            clusters.setdefault(section.key, []).append(section)
        order = list(clusters.items())
        self._random.shuffle(order)
        seen: set[str] = set()
        taken: Counter[str] = Counter()
        for number, (key, group) in enumerate(order):
            both = len({chinese(" ".join(one.passages)) for one in group}) == 2
            fresh = [one for one in group if one.passages[0] not in seen]
            if not fresh or taken[key[0]] >= MOST.get(key[0], 10_000) or (key[0] == "libreoffice" and not both):
                continue
            taken[key[0]] += 1
            for one in fresh if both or key[0] != "gimp" else fresh[:1]:
                seen.add(one.passages[0])
                self._add(one, number)

    def _text(self, text: str) -> int:
        return self.texts.setdefault(text, len(self.texts))

    def _ask(self, kind: str, text: str, section, cluster: int, passage: int = -1) -> None:
        self.questions.append({"kind": kind, "text": self._text(text), "group": section.group, "cluster": cluster,
                               "chinese": bool(re.search("[\u4e00-\u9fff]", text)), "passage": passage})

    def _add(self, section: train_texts.Section, cluster: int) -> None:
        title, above = section.titles[-1], section.titles[-2] if len(section.titles) > 1 else ""
        for text in section.passages[:4]:
            number = self._text(text)
            entry = {"text": number, "rest": number, "title": self._text(title), "cluster": cluster,
                     "above": self._text(above) if above else -1, "group": section.group, "chinese": chinese(text)}
            low, high = (9, 80) if entry["chinese"] else (20, 220)
            sentences = [one.strip() for one in _SENTENCE.split(text) if one and low < len(one.strip()) < high]
            if sentences:
                one = self._random.choice(sentences)
                cloze = len(sentences) >= 3 and self._random.random() < 0.5
                if cloze:
                    entry["rest"] = self._text(text.replace(one, " ", 1))
                self._ask("cloze" if cloze else "sentence", one, section, cluster, len(self.passages))
            self.passages.append(entry)
        if title.lower() not in _GENERIC and len(title) > 3:
            self._ask("title", title, section, cluster)
            bare = title.rstrip("?？")
            if bare[1:2].islower():
                bare = bare[0].lower() + bare[1:]
            self._ask("form", self._random.choice(_FORMS[bool(re.search("[\u4e00-\u9fff]", title))]).format(bare),
                      section, cluster)
            if above and above.lower() not in _GENERIC:
                self._ask("path", f"{above} {title}", section, cluster)
        for hint in section.hints[:4]:
            self._ask("hint", hint, section, cluster)

    def encode(self, cache: Path) -> None:
        """Make the texts' vectors, or read them, and arrays of the rest."""
        texts = list(self.texts)
        if cache.is_file() and len(np.load(cache, mmap_mode="r")) == len(texts):
            self.vectors = np.load(cache).astype(np.float32)
        else:
            self.vectors = np.empty((len(texts), builtin.DIMENSION), np.float32)
            order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
            for at in range(0, len(order), 500):
                part = order[at:at + 500]
                self.vectors[part] = builtin.encode([texts[number] for number in part])
            np.save(cache, self.vectors.astype(np.float16))
        self.vectors = _unit(self.vectors)
        self.p = {name: np.array([one[name] for one in self.passages]) for name in self.passages[0]}
        self.q = {name: np.array([one[name] for one in self.questions]) for name in self.questions[0]}
        self.members: dict[int, list[int]] = {}
        for number, cluster in enumerate(self.p["cluster"].tolist()):
            self.members.setdefault(cluster, []).append(number)
        both = {cluster for cluster, members in self.members.items()
                if len({bool(self.p["chinese"][one]) for one in members}) == 2}
        self.aligned = np.array([cluster in both for cluster in self.q["cluster"].tolist()])

    def matrix(self, chosen: np.ndarray, rng, own: float, *, rest: bool) -> np.ndarray:
        """Return the vectors of passages as they are stored, with their own title, the one above it or none."""
        out = self.vectors[self.p["rest" if rest else "text"][chosen]].copy()
        draw = rng.random(len(chosen))
        title = np.where(draw < own, self.p["title"][chosen],
                         np.where(draw < own + 0.6 * (1 - own), self.p["above"][chosen], -1))
        has = title >= 0
        out[has] = (1 - builtin.TITLE_SHARE) * out[has] + builtin.TITLE_SHARE * self.vectors[title[has]]
        return _unit(out)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def train(pairs: Pairs, without: tuple[str, ...] = (), seed: int = 0) -> np.ndarray:
    """Return the map W (512, 512): a question's vector q becomes W q."""
    rng = np.random.default_rng(seed)
    q, p = pairs.q, pairs.p
    usable = ~np.isin(q["group"], without)
    sizes = Counter(q["group"][usable].tolist())
    choices = {}
    for kind in SHARES:
        chosen = np.flatnonzero(usable & (q["kind"] == kind) & (pairs.aligned if kind == "sentence" else True))
        # No large manual rules, and neither language.
        weight = np.array([sizes[group] ** -0.5 for group in q["group"][chosen].tolist()])
        zh = q["chinese"][chosen]
        if zh.any() and not zh.all():
            weight[zh] *= weight[~zh].sum() / weight[zh].sum()
        choices[kind] = chosen, weight / weight.sum()
    rivals = np.flatnonzero(~np.isin(p["group"], without))
    identity = np.eye(builtin.DIMENSION, dtype=np.float32)
    w, first, second = identity.copy(), np.zeros_like(identity), np.zeros_like(identity)
    kinds, shares = list(SHARES), np.array(list(SHARES.values()))
    for step in range(1, STEPS + 1):
        kind = rng.choice(kinds, p=shares / shares.sum())
        batch = rng.choice(choices[kind][0], BATCH, p=choices[kind][1])
        wanted = [_wanted(pairs, int(one), kind, rng) for one in batch]
        chosen = np.fromiter({*rng.choice(rivals, min(POOL, len(rivals)), replace=False).tolist(),
                              *(one for some in wanted for one in some)}, int)
        place = {one: number for number, one in enumerate(chosen.tolist())}
        right = np.zeros((BATCH, len(chosen)), bool)
        for row, some in zip(right, wanted, strict=True):
            row[[place[one] for one in some]] = True
        passages = pairs.matrix(chosen, rng, OWN_TITLE.get(kind, 0.0), rest=kind == "cloze")
        asked = pairs.vectors[q["text"][batch]]
        turned = asked @ w.T
        length = np.linalg.norm(turned, axis=1, keepdims=True)
        unit = turned / length
        score = unit @ passages.T / TAU
        # The section's other passages are neither right nor wrong.
        score[(q["cluster"][batch][:, None] == p["cluster"][chosen][None]) & ~right] = -1e4
        score = np.exp(score - score.max(1, keepdims=True))
        good = score * right
        error = score / score.sum(1, keepdims=True) - good / np.maximum(good.sum(1, keepdims=True), 1e-12)
        slope = error @ passages / TAU / BATCH
        slope = (slope - (slope * unit).sum(1, keepdims=True) * unit) / length
        gradient = slope.T @ asked + HOLD * (w - identity) / builtin.DIMENSION ** 0.5
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient * gradient
        rate = RATE * min(1, step / 50) * (1 - 0.9 * step / STEPS)
        w -= rate * (first / (1 - 0.9 ** step)) / (np.sqrt(second / (1 - 0.999 ** step)) + 1e-8)
    return w


def _wanted(pairs: Pairs, question: int, kind: str, rng) -> list[int]:
    """Return the passages that a question is to find: of its own language or of the other one."""
    members = pairs.members[int(pairs.q["cluster"][question])]
    zh = bool(pairs.q["chinese"][question])
    other = [one for one in members if bool(pairs.p["chinese"][one]) != zh]
    own = [one for one in members if bool(pairs.p["chinese"][one]) == zh]
    if kind == "sentence":  # it stands in the passages of its own language
        return other
    if kind == "cloze":
        return other if other and rng.random() < 0.4 else [int(pairs.q["passage"][question])]
    return (own if rng.random() < 0.4 else other) if own and other else members


def found(pairs: Pairs, group: str, w: np.ndarray | None = None) -> list[tuple[str, float, float]]:
    """Return (kind and language, recall@1, recall@3) of a group's questions among its passages, by both languages."""
    rng = np.random.default_rng(1)
    chosen = np.flatnonzero(pairs.p["group"] == group)
    out = []
    for kind in ("title", "form", "hint", "cloze"):
        passages = pairs.matrix(chosen, rng, 0.0, rest=kind == "cloze")
        for zh in (False, True):
            asked = np.flatnonzero((pairs.q["group"] == group) & (pairs.q["kind"] == kind)
                                   & (pairs.q["chinese"] == zh))[:1500]
            for crossed in (False, True):
                some = asked[pairs.aligned[asked]] if crossed else asked
                if len(some) < 40:
                    continue
                vectors = pairs.vectors[pairs.q["text"][some]]
                score = (vectors if w is None else _unit(vectors @ w.T)) @ passages.T
                if crossed:
                    score[:, pairs.p["chinese"][chosen] == zh] = -9
                best = chosen[np.argsort(-score, axis=1)[:, :3]]
                hit = pairs.p["cluster"][best] == pairs.q["cluster"][some][:, None]
                name = f"{kind} {'zh' if zh else 'en'} {'to the other language' if crossed else 'to both'}"
                out.append((name, float(hit[:, 0].mean()), float(hit.any(1).mean())))
    return out


def main() -> None:
    """Fetch, encode, train; write the map, or what a map that has not seen a group does for it."""
    parser = argparse.ArgumentParser(description="Train the map of questions.")
    parser.add_argument("work", type=Path)
    parser.add_argument("--without", default="")
    options = parser.parse_args()
    (options.work / "packages").mkdir(parents=True, exist_ok=True)
    train_texts.fetch(options.work / "packages")
    pairs = Pairs(list(train_texts.sections(options.work / "packages")))
    print(len(pairs.passages), "passages,", len(pairs.questions), "questions,", len(pairs.texts), "texts", flush=True)
    pairs.encode(options.work / "vectors.npy")
    w = train(pairs, (options.without,) if options.without else ())
    left, sizes, right = np.linalg.svd(w.T - np.eye(builtin.DIMENSION))
    factors = np.stack([left[:, :RANK] * np.sqrt(sizes[:RANK]), right[:RANK].T * np.sqrt(sizes[:RANK])])
    w = np.eye(builtin.DIMENSION) + factors[1] @ factors[0].T
    if not options.without:
        np.save(Path(builtin.__file__).with_name(builtin.ADAPTER), factors.astype(np.float16))
        return
    for before, after in zip(found(pairs, options.without), found(pairs, options.without, w), strict=True):
        print(f"{before[0]:36s} {before[1]:.3f} {before[2]:.3f} -> {after[1]:.3f} {after[2]:.3f}")


if __name__ == "__main__":
    main()
