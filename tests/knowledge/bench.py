"""How fast the knowledge room is, in process: `python -m tests.knowledge.bench`.

Ingest of 1,000 chunks with zero-cost and with the embedded embeddings, and hybrid queries at 20,000 chunks.
"""

from __future__ import annotations

import io
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

WORDS = [f"word{i}" for i in range(4000)]


def document(chunks: int, seed: int) -> bytes:
    """Return a Markdown text that makes so many chunks."""
    chance = random.Random(seed)
    return "\n\n".join(f"## Part {seed}-{i}\n\n" + " ".join(chance.choices(WORDS, k=90))
                       for i in range(chunks)).encode()


def ingest(name: str, chunks: int, seed: int = 0) -> dict[str, float]:
    """Index one document of so many chunks; return seconds and CPU seconds for 1,000 (children included)."""
    from sparrow.knowledge import datasets, documents, indexing
    from sparrow.storage import files

    found, _ = datasets.search(keyword=name)
    base = found[0] if found else datasets.create(name)
    file = files.save(io.BytesIO(document(chunks, seed)), f"{seed}.md")
    row = documents.add_files(base["id"], [file["id"]])[0][0]
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    indexing.run(row["id"])
    wall, cpu = time.perf_counter() - wall, sum(os.times()[:4]) - cpu
    total = documents.get(base["id"], row["id"])["total"]
    return {"chunks": total, "seconds_per_1000": wall / total * 1000, "cpu_per_1000": cpu / total * 1000}


def queries(name: str, count: int = 100) -> dict[str, float]:
    """Ask a base so many hybrid questions; return milliseconds: wall p50 and p95, CPU p50."""
    from sparrow.knowledge import datasets
    from sparrow.knowledge.retrieve import retrieve

    base = datasets.search(keyword=name)[0][0]
    chance = random.Random(1)
    taken, spent = [], []
    for number in range(count + 5):
        text = " ".join(chance.choices(WORDS, k=6))
        begun, cpu = time.perf_counter(), time.process_time()
        retrieve(text, [base["id"]], {"search_method": "hybrid_search", "top_k": 4}, count_hits=False)
        if number >= 5:
            taken.append((time.perf_counter() - begun) * 1000)
            spent.append((time.process_time() - cpu) * 1000)
    return {"p50_ms": round(statistics.median(taken), 2), "p95_ms": round(sorted(taken)[int(count * 0.95)], 2),
            "cpu_p50_ms": round(statistics.median(spent), 2)}


def main() -> None:
    """Measure in a temporary data folder and print the figures."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config").mkdir()
        os.environ.update(SPARROW_DATA_DIR=folder, SPARROW_RUN_DIR=folder + "/run", SPARROW_DEV="1")
        from sparrow.knowledge import embed
        from sparrow.storage import migrate

        migrate.upgrade()
        print("embedded", ingest("embedded", 300))
        real = embed.Embedder.encode
        vectors = np.random.default_rng(0).normal(size=(4096, 512)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        embed.Embedder.encode = lambda self, texts, kind="document": vectors[:len(texts)] if kind == "document" \
            else real(self, texts, kind)
        print("zero-cost", ingest("zero", 1000))
        for seed in range(1, 20):
            ingest("zero", 1000, seed)
        print("hybrid at 20,000", queries("zero"))


if __name__ == "__main__":
    main()
