"""Knowledge bases: documents in and questions answered, through the box's own HTTPS API, at several sizes.

The texts are paragraphs of Debian Reference in English and Chinese, strung together until they are as long as a usual
passage; the questions are words that follow each other in them. So words are as rare, and passages as like each
other, as in real documents.
"""

from __future__ import annotations

import html
import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.bench import embeddings
from tests.bench.stack import ROOT, Console, Stack
from tests.conftest import free_port

BOOK = Path("/usr/share/debian-reference")
LENGTH = {"en": 500, "zh-cn": 170}  # characters of a passage: about 110 tokens in both languages
QUESTIONS = 200
_FILE = 1000  # passages of one uploaded file
NO_COST = {"embedding_model": embeddings.NAME, "embedding_model_provider": "vllm"}


class Texts:
    """Passages and questions, the same in every run."""

    def __init__(self):
        self.paragraphs: dict[str, list[str]] = {}
        for language in LENGTH:
            pages = [page.read_text() for page in sorted(BOOK.glob(f"ch*.{language}.html"))]
            found = (" ".join(html.unescape(re.sub(r"<[^>]+>", "", part)).split())
                     for page in pages for part in re.findall(r"<p>(.*?)</p>", page, re.S))
            self.paragraphs[language] = [part for part in found if len(part) > 40]
            if not self.paragraphs[language]:
                raise RuntimeError(f"Install the Debian package debian-reference-{language}: its texts are indexed.")

    def file(self, number: int, passages: int = _FILE) -> bytes:
        """Return a text of so many passages, between empty lines."""
        chance = random.Random(number)
        out = []
        for at in range(passages):
            language = ("en", "zh-cn")[at % 2]
            text = f"{number}-{at}/A:"
            while len(text) < LENGTH[language]:
                text += " " + chance.choice(self.paragraphs[language])
            out.append(text[:LENGTH[language]])
        return "\n\n".join(out).encode()

    def questions(self, count: int, seed: int) -> list[str]:
        """Return so many questions, half of them Chinese."""
        chance = random.Random(seed)
        out = []
        while len(out) < count:
            if len(out) % 2:
                run = max(re.findall(r"[\u4e00-\u9fff]+", chance.choice(self.paragraphs["zh-cn"])) or [""], key=len)
                part = run[:12]
            else:
                words = chance.choice(self.paragraphs["en"]).split()
                at = chance.randrange(max(len(words) - 7, 1))
                part = " ".join(words[at:at + 7])
            if len(part) > 5:
                out.append(part)
        return out


class Base:
    """A knowledge base on the box."""

    def __init__(self, stack: Stack, console: Console, name: str, **settings: Any):
        self.stack, self.console = stack, console
        self.id = console.call("POST", "/datasets", {"name": f"{name} {time.time():.0f}", **settings})["id"]
        self.key = console.call("POST", "/dataset-keys", {"name": name})["token"]
        self.connection = stack.connect(600)
        self.passages = 0

    def add(self, name: str, content: bytes, until: str = "completed") -> tuple[float, float]:
        """Index a document; return the seconds and the CPU seconds of all programs until it has reached a state (or
        a later one)."""
        file = self.console.upload(name, content)
        before, begun = self.stack.cpu_seconds(), time.monotonic()
        rules = {"pre_processing_rules": [], "segmentation": {
            "separator": "\n\n", "max_tokens": 1000, "chunk_overlap": 0}}
        self.batch = self.console.call("POST", f"/datasets/{self.id}/documents", {
            "file_ids": [file], "process_rule": {"mode": "custom", "rules": rules}})["batch"]
        self.passages += self.reach(until)
        return time.monotonic() - begun, self.stack.cpu_seconds() - before

    def reach(self, state: str) -> int:
        """Wait until the last document has reached a state (or "completed"); return how many passages it has."""
        for _ in range(12_000):
            time.sleep(0.05)
            found = self.call("GET", f"/documents/{self.batch}/indexing-status")["data"][0]
            if found["indexing_status"] in (state, "completed"):
                return found["total_segments"]
            if found["indexing_status"] == "error":
                break
        raise RuntimeError(f"The document was not indexed: {found}")

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Call the service API for this base, on a connection that is kept; return the JSON reply."""
        self.connection.request(method, f"/v1/datasets/{self.id}{path}", json.dumps(body) if body else None, {
            "Authorization": f"Bearer {self.key}", "Content-Type": "application/json"})
        reply = self.connection.getresponse()
        content = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {content[:300]!r}")
        return json.loads(content)

    def settle(self) -> None:
        """Wait until Chroma has the vectors of all passages."""
        for _ in range(6000):
            try:
                if self.in_chroma() >= self.passages:
                    time.sleep(1)  # until the box has noted that of the last ones
                    return
            except (OSError, StopIteration):
                pass
            time.sleep(0.1)
        raise RuntimeError("Chroma did not get all vectors.")

    def in_chroma(self) -> int:
        """Return how many vectors Chroma has of this base."""
        place = "/api/v2/tenants/default_tenant/databases/default_database/collections"
        connection = HTTPConnection("127.0.0.1", self.stack.chroma_port, timeout=10)
        try:
            connection.request("GET", f"{place}?limit=1000")
            found = next(one["id"] for one in json.loads(connection.getresponse().read()) if self.id in one["name"])
            connection.request("GET", f"{place}/{found}/count")
            return int(connection.getresponse().read())
        finally:
            connection.close()

    def ask(self, questions: list[str]) -> Iterator[float]:
        """Yield the seconds each question took, hybrid."""
        for question in questions:
            begun = time.perf_counter()
            found = self.call("POST", "/retrieve", {"query": question, "retrieval_model": {
                "search_method": "hybrid_search", "top_k": 4, "reranking_enable": False,
                "score_threshold_enabled": False}})
            yield time.perf_counter() - begun
            if not found["records"]:
                raise RuntimeError(f"Nothing was found for {question!r}.")


def first(stack: Stack, console: Console, row: type) -> Iterator[Any]:
    """Yield what 1,000 passages cost, with embeddings that cost nothing and with the embedded model, and what the page
    of a PDF does."""
    texts = Texts()
    base = Base(stack, console, "no cost", **NO_COST)
    base.add("warm.txt", texts.file(0, 20))  # the first document of a start loads code
    best: tuple[float, ...] = ()
    for number in range(1, 4):
        taken = base.add(f"{number}.txt", texts.file(number))
        base.settle()
        best = tuple(map(min, taken, best or taken))
    yield row("ingest 1,000 passages, zero-cost embeddings: wall", best[0], "s", 1.5)
    yield row("ingest 1,000 passages, zero-cost embeddings: CPU", best[1], "s", 1.0)
    base = Base(stack, console, "embedded")
    taken, spent = base.add("1.txt", texts.file(1))
    yield row("ingest 1,000 passages, embedded model: wall", taken, "s")
    yield row("ingest 1,000 passages, embedded model: CPU", spent, "s")
    base.settle()
    yield from queries(base, row, texts, "1,000 passages, embedded model")
    name = "debian-reference.en.pdf"
    base = Base(stack, console, "pdf", indexing_technique="economy")
    taken, spent = base.add(name, (BOOK / name).read_bytes(), "indexing")
    info = subprocess.run(["pdfinfo", BOOK / name], capture_output=True, text=True, check=True).stdout
    pages = int(re.search(r"^Pages:\s+(\d+)", info, re.M)[1])
    yield row(f"PDF of {pages} pages, uploaded to cut: wall per page", taken / pages * 1000, "ms")
    yield row(f"PDF of {pages} pages, uploaded to cut: CPU per page", spent / pages * 1000, "ms")
    base.reach("completed")  # or its job would count as memory of what is measured next
    time.sleep(2)


def growing(stack: Stack, console: Console, row: type, size: int) -> Iterator[Any]:
    """Yield what questions to a base cost as it grows to a size, with a stop at 20,000 passages, and what the last
    1,000 passages before each stop did."""
    texts = Texts()
    base = Base(stack, console, "growing", **NO_COST)
    for stop in sorted({min(size, 20_000), size}):
        while base.passages < stop:
            taken, spent = base.add(f"{base.passages}.txt", texts.file(base.passages // _FILE + 100))
        base.settle()
        yield row(f"ingest 1,000 passages, zero-cost, up to {stop:,}: wall", taken, "s")
        yield row(f"ingest 1,000 passages, zero-cost, up to {stop:,}: CPU", spent, "s")
        yield from queries(base, row, texts, f"{stop:,} passages, zero-cost", 8 if stop == 20_000 else None)


def queries(base: Base, row: type, texts: Texts, what: str, goal: float | None = None) -> Iterator[Any]:
    """Yield what a hybrid question costs, through HTTPS, by each program; and their memory after it."""
    list(base.ask(texts.questions(30, 1)))
    time.sleep(2)  # until what the first ones set off is over
    before = base.stack.cpu_by_program()
    times = sorted(base.ask(texts.questions(QUESTIONS, 2)))
    after = base.stack.cpu_by_program()
    # The file that the exact search makes when Chroma is not asked; small bases are better off with it.
    if base.passages > 2000 and any((base.stack.folder / "data/db/vectors").glob(f"{base.id}.*")):
        raise RuntimeError("Some questions were not answered by Chroma.")
    yield row(f"hybrid query, {what}: p50", statistics.median(times) * 1000, "ms", goal)
    yield row(f"hybrid query, {what}: p95", times[int(len(times) * 0.95)] * 1000, "ms")
    spent = {name: (after[name] - before.get(name, 0)) / QUESTIONS * 1000 for name in after}
    yield row(f"hybrid query, {what}: CPU of all", sum(spent.values()), "ms")
    for name in ("api", "chroma", "caddy"):
        yield row(f"hybrid query, {what}: CPU of {name}", spent.get(name, 0), "ms")
    for name, megabytes in base.stack.memory().items():
        yield row(f"PSS, {what}: {name}", megabytes, "MB")


class NoCost:
    """The model of tests/bench/embeddings.py, as a process of its own."""

    def __enter__(self):
        self.port = free_port()
        self.process = subprocess.Popen([sys.executable, "-m", "tests.bench.embeddings", str(self.port)], cwd=ROOT)
        time.sleep(0.7)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def add_to(self, console: Console) -> None:
        """Add the model to the box, as a provider of its own: the chat model's server embeds, too."""
        place = f"/model-providers/{NO_COST['embedding_model_provider']}"
        console.call("POST", f"{place}/credentials", {
            "name": "no cost", "base_url": f"http://127.0.0.1:{self.port}/v1", "api_key": "none"})
        console.call("POST", f"{place}/models", {
            "model": embeddings.NAME, "type": "text-embedding", "context_size": 8000})
