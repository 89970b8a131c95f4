"""One question, one ranked list of passages.

Vector and keyword candidates are joined by score, not by rank: the cosine of every candidate (also of those only
the keywords found) is spread to 0..1 and the keyword score adds its share, by how much of the question it covers.
What the question's words are called otherwise, in the other language (Chinese, English) or their own, adds a part too.
Rank fusion, and a keyword score that is relative to the best hit's, were measured to bury the right answer whenever
the question is in another language than the text: then the best hit is an accident.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from sparrow.errors import BadRequest, SparrowError
from sparrow.storage import db
from sparrow.storage.tables import knowledge as t

from .. import attachments, chroma, datasets, external, keyword, mending, vectors
from ..embed import Embedder, EmbedderError, builtin, embedder
from . import filters, titles, usage
from .settings import RetrievalSettings, parse

if TYPE_CHECKING:
    import numpy as np

    from sparrow.engine.ports import HttpClient

CANDIDATES = 60
# Vector and keyword weight, as Dify's users have them by default: they stand for the balance that was measured to find
# most, which the shares below say. Other weights move it.
DEFAULT_WEIGHTS = (0.7, 0.3)
# What the keyword score (1: all words of the question are there) adds to the spread cosine (0..1): chosen on the
# tuning half of tests/knowledge/quality. Names and codes are asked for by their letters, questions by their meaning.
KEYWORD_SHARES = {"question": 0.5, "terms": 0.7, "names": 1.2}
TRANSLATED_SHARE = 0.3  # what the question's words add by other names: a dictionary guesses
# What a passage keeps of its score if a better one stands in the same section of the same document: few passages are
# read, and another section may hold what this one has not got.
SAME_SECTION = 0.8
# What a passage gains if its title is the question, as by `titles`; of those that are before the others without it.
TITLE_SHARE, TITLE_POWER, TITLES_READ = 0.5, 3, 30
_PLAIN = 0.8  # scores above it are bent to stay below 1
EXACT_BELOW = 2000  # vectors: below this NumPy is faster than asking another process
_IN = 500

_OF_BASE = t.units.c.dataset_id == sa.bindparam("base")
_MANY = db.Lookup(sa.select(t.units.c.serial).where(_OF_BASE).limit(sa.literal_column("1"))
                  .offset(sa.bindparam("at", type_=sa.Integer)))
_UNSYNCED = db.Lookup(sa.select(sa.exists().where(_OF_BASE, t.units.c.synced.is_(False)).label("some")))
_USABLE = sa.and_(t.documents.c.enabled.is_(True), t.documents.c.archived.is_(False))
_BARRED = db.Lookup(sa.select(
    sa.exists().where(t.documents.c.dataset_id == sa.bindparam("base"), sa.not_(_USABLE)).label("some")))
# Made once: to put such a statement together takes as long as to run it.
_PASSAGES = (
    sa.select(t.segments, t.documents.c.name.label("document_name"), t.documents.c.doc_metadata,
              t.documents.c.data_source_type, t.documents.c.file_id)
    .join(t.documents, t.documents.c.id == t.segments.c.document_id)
    .where(t.segments.c.id.in_(sa.bindparam("ids", expanding=True))))

Rerank = Callable[[str, str, str, list[str]], list[float]]  # provider, model, query, texts to scores 0..1


class Passage(msgspec.Struct):
    """A passage with its score (0..1, larger is better) and where it stands."""

    segment_id: str
    dataset_id: str
    dataset_name: str
    document_id: str
    document_name: str
    content: str
    answer: str | None
    score: float
    position: int
    heading: list[str]
    place_kind: str
    place: str
    highlights: list[str]
    children: list[dict[str, Any]]
    data_source_type: str
    word_count: int
    tokens: int
    hit_count: int
    hash: str
    keywords: list[str] | None
    doc_metadata: dict[str, Any] | None
    file_id: str | None = None
    created_at: float = 0.0
    scores: dict[str, float] = {}  # what each method alone says of it
    bound: list[str] | None = None  # ids of the images bound to it by hand
    images: list[attachments.Image] = []  # those and the ones in its text
    summary: str | None = None
    by_summary: bool = False  # its summary is what the question matched best

    @property
    def text(self) -> str:
        """Return what a model reads: of a question-and-answer pair both, as Dify writes them."""
        return self.content if self.answer is None else f"question:{self.content} answer:{self.answer}"

    @property
    def page(self) -> int | None:
        """Return the page (or slide) number, None where the format has none."""
        return int(self.place) if self.place_kind in ("page", "slide") and self.place.isdigit() else None


class _Hit(msgspec.Struct):
    serial: int
    segment_id: str
    child_id: str | None
    hash: str
    dataset_id: str
    section: str  # document and headings
    heading: Any = None  # JSON in SQLite, a list in PostgreSQL
    summary: bool = False  # the text is its passage's summary
    cosine: float | None = None
    bm25: float = 0.0
    translated: float = 0.0  # the keyword score of what the question's words are called otherwise
    score: float = 0.0


def retrieve(query: str, dataset_ids: list[str], retrieval_model: dict[str, Any] | RetrievalSettings | None = None,
             *, rerank: Rerank | None = None, http: HttpClient | None = None, source: str = "app",
             app_id: str | None = None, count_hits: bool = True, away: list[dict[str, Any]] | None = None
             ) -> list[Passage]:
    """Return the passages of some bases that answer a question, best first.

    `retrieval_model` is Dify's object; without it each base's own settings apply (and the first base's top_k).
    `rerank` asks a rerank model; it is used where the settings name one. `http` is the guarded client that external
    bases are asked through. Bases that do not exist are left out. With `away`, bases that cannot be asked (an external
    one's server, an embedding model that fails) are put there ({dataset_id, dataset_name, error}) and the others
    answer; where none is left, the error is raised. One that is searched by words too answers by these alone, and is
    put there with `by_words`.
    """
    query = query.strip()
    if not query or not dataset_ids:
        return []
    with db.read() as tx:
        rows = [datasets.find_row(tx, dataset_id) for dataset_id in dict.fromkeys(dataset_ids)]
    bases = [row._asdict() for row in rows if row is not None]
    if not bases:
        return []
    given = retrieval_model if isinstance(retrieval_model, RetrievalSettings) else (
        parse(retrieval_model) if retrieval_model else None)
    if isinstance(retrieval_model, dict) and not retrieval_model.get("search_method"):
        # Settings that name no method (those of a node) leave each base its own.
        methods = {base["id"]: (base["retrieval_model"] or {}).get("search_method") for base in bases}
    else:
        methods = {}
    found: list[Passage] = []
    failed: list[tuple[dict[str, Any], BadRequest]] = []
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for base in bases:
        settings = given or _own(base)
        if base["provider"] == "external":
            if http is None:
                raise external.ExternalError("External knowledge bases cannot be asked from here.")
            try:
                found += external.retrieve(http, base, query, settings)
            except external.ExternalError as error:
                failed.append((base, error))
            continue
        method = methods.get(base["id"]) or settings.method
        if base["indexing_technique"] == "economy":
            method = "keyword_search"
        groups.setdefault((method, _model(base).key), []).append(base)
    top = given or _own(bases[0])
    for (method, _), group in groups.items():
        settings = given or parse(group[0]["retrieval_model"])
        try:
            found += _search(query, group, method, settings)
        except EmbedderError as error:
            if away is None or method != "hybrid_search":
                failed += [(base, error) for base in group]
                continue
            found += _search(query, group, method, settings, by_words=True)
            away += [{**_away(base, error), "by_words": True} for base in group]
    if failed and (away is None or len(failed) == len(bases)):
        raise failed[0][1]
    if away is not None:
        away += [_away(base, error) for base, error in failed]
    found.sort(key=lambda passage: -passage.score)
    if top.rerank and rerank and found:
        found = found[:max(CANDIDATES, top.top_k)]
        scores = rerank(*top.rerank, query, [passage.content for passage in found])
        for passage, score in zip(found, scores, strict=True):
            passage.score = float(score)
        found.sort(key=lambda passage: -passage.score)
    if top.threshold is not None:
        found = [passage for passage in found if passage.score >= top.threshold]
    found = found[:top.top_k]
    marks = keyword.highlighter(query)
    for passage in found:
        passage.highlights = passage.highlights or marks(passage.content)
    shown = attachments.images({passage.segment_id: attachments.ids_of(passage.content, passage.answer, passage.bound)
                                for passage in found if passage.hash})  # no other box's
    for passage in found:
        passage.images = shown.get(passage.segment_id, [])
    if count_hits:
        usage.note(query, [base["id"] for base in bases], [passage.segment_id for passage in found], source, app_id)
    return found


def _away(base: dict[str, Any], error: BadRequest) -> dict[str, Any]:
    """Return what is told of a base that could not be asked."""
    return {"dataset_id": base["id"], "dataset_name": base["name"], "error": error.message}


def _own(base: dict[str, Any]) -> RetrievalSettings:
    """Return a base's own settings."""
    return parse(base["external_retrieval_model" if base["provider"] == "external" else "retrieval_model"])


def _model(base: dict[str, Any]) -> Embedder:
    return embedder(base["embedding_model_provider"], base["embedding_model"])


def _search(query: str, bases: list[dict[str, Any]], method: str, settings: RetrievalSettings, *,
            by_words: bool = False) -> list[Passage]:
    """Search bases that share a method and an embedding model; `by_words` does without that model."""
    chosen = [base["id"] for base in bases]
    wanted = max(CANDIDATES, settings.top_k * 3)
    with db.read() as tx:
        allowed = _allowed_documents(tx, chosen, settings.conditions)
    if allowed is not None and not allowed:
        return []
    model = _model(bases[0])
    vector, waiting, words = None, [], {}
    if method in ("hybrid_search", "semantic_search") and not by_words:
        # Chroma looks for the nearest while the words are ranked here. A thread for the two would wait for the other
        # at each row of a statement.
        vector = model.encode([query], "query")[0]
        waiting = [_nearest(base, model, vector, wanted, allowed) for base in bases]
    if method != "semantic_search":
        words = _by_words(query, chosen, wanted, allowed, translated=method == "hybrid_search")
    near = sorted((item for found in waiting for item in found()), key=lambda item: -item[1])[:wanted * 2]
    hits = _joint(words, near, vector, model, allowed)
    ranked = _ranked(query, hits, method, model, settings)
    return _passages(bases, ranked, model, CANDIDATES if settings.rerank else settings.top_k)


def _by_words(query: str, dataset_ids: list[str], limit: int, allowed: set[str] | None, *, translated: bool
              ) -> dict[int, _Hit]:
    """Return the units that have the question's words, or else (`translated`) have them in the other language."""
    more = 1 if allowed is None else 10
    with db.read() as tx:
        try:
            found = [("bm25", limit, keyword.search(tx, dataset_ids, query, limit * more))]
            if translated:
                found.append(("translated", CANDIDATES, keyword.translated(tx, dataset_ids, query, CANDIDATES * more)))
        except sa.exc.DBAPIError as error:
            if not mending.is_damage(error):
                raise
            usage.heal_words()
            if not translated:
                raise SparrowError("The keyword index is damaged and being made anew. Ask again in a moment.",
                                   code="index_damaged", status=503) from error
            return {}  # the vectors answer
        known = _units(tx, {serial for _, _, rows in found for serial, _ in rows}, allowed)
    hits: dict[int, _Hit] = {}
    for attribute, most, rows in found:
        for serial, value in [row for row in rows if row[0] in known][:most]:
            setattr(hits.setdefault(serial, known[serial]), attribute, value)
    return hits


def _joint(words: dict[int, _Hit], near: list[tuple[int, float]], vector: np.ndarray | None, model: Embedder,
           allowed: set[str] | None) -> list[_Hit]:
    """Return what is near and what only the keywords found, the latter with its cosine too."""
    if vector is None:
        return list(words.values())
    with db.read() as tx:
        known = _units(tx, [serial for serial, _ in near if serial not in words], allowed)
        hits: dict[int, _Hit] = {}
        for serial, cosine in near:
            hit = words.get(serial) or known.get(serial)
            if hit is not None:
                hit.cosine = cosine
                hits[serial] = hit
        _fill_cosines(tx, [hit for serial, hit in words.items() if serial not in hits], vector, model)
    return list((hits | words).values())


def _nearest(base: dict[str, Any], model: Embedder, vector: np.ndarray, limit: int, allowed: set[str] | None
             ) -> Callable[[], list[tuple[int, float]]]:
    """Return what finds the (serial, cosine) of the nearest units of one base, best first: it waits for Chroma, which
    is asked here, or searches exactly where that is better or all there is."""
    u = t.units.c
    with db.read() as tx:
        serials = None
        if allowed is not None:
            names, serials = list(allowed), set()
            for at in range(0, len(names), _IN):  # a statement takes only so many values
                serials.update(tx.execute(sa.select(u.serial).where(
                    u.dataset_id == base["id"], u.uses.like("v%"), u.document_id.in_(names[at:at + _IN]))).scalars())
            few = True
        else:
            few = _MANY.first(tx, {"base": base["id"], "at": EXACT_BELOW}) is None
        # What Chroma has not got yet must be found as well.
        behind = _UNSYNCED.first(tx, {"base": base["id"]}).some
    answer = None
    if not few and not behind:
        with _healing(base["id"]):
            if not chroma.sound(base["id"], base["index_epoch"]):
                raise chroma.Failed("It does not find its own vectors.")
            answer = chroma.query(base["id"], base["index_epoch"], vector, limit)

    def nearest() -> list[tuple[int, float]]:
        if answer is not None:
            with _healing(base["id"]):
                return answer()
        return vectors.search(base["id"], base["index_epoch"], model.key, vector, limit, allowed=serials)

    return nearest


@contextmanager
def _healing(dataset_id: str) -> Iterator[None]:
    """Go on without Chroma where it fails, and have what it lost put right."""
    try:
        yield
    except (chroma.Missing, chroma.Failed):
        usage.heal(dataset_id)
    except chroma.Down:
        pass


def _allowed_documents(tx, dataset_ids: list[str], conditions: dict[str, Any] | None) -> set[str] | None:
    """Return the documents that may be used, None where all may (then nothing has to be filtered)."""
    d = t.documents.c
    if not conditions or not conditions.get("conditions"):
        if not any(_BARRED.first(tx, {"base": dataset_id}).some for dataset_id in dataset_ids):
            return None
        return set(tx.execute(sa.select(d.id).where(d.dataset_id.in_(dataset_ids), _USABLE)).scalars())
    rows = tx.execute(t.documents.select().where(d.dataset_id.in_(dataset_ids), _USABLE)).mappings()
    return {row["id"] for row in rows if filters.matches(filters.values_of(row), conditions)}


def _units(tx, serials: Iterable[int], allowed: set[str] | None) -> dict[int, _Hit]:
    """Return the units that exist, of passages that are enabled and documents that may be used."""
    if not serials:
        return {}
    # Numbers stand in the text of a statement: hundreds of bound values cost more than the search for them.
    rows = db.rows(
        tx, "SELECT serial, segment_id, child_id, hash, dataset_id, document_id, heading, summary FROM knowledge_units "
        f"WHERE enabled AND serial IN ({', '.join(map(str, serials))})")
    return {row[0]: _Hit(*row[:5], f"{row[5]} {row[6]}", row[6], row[7]) for row in rows
            if allowed is None or row[5] in allowed}


def _fill_cosines(tx, hits: list[_Hit], vector: np.ndarray, model: Embedder) -> None:
    """Give the candidates that only the keywords found their cosine."""
    if not hits:
        return
    import numpy as np

    hashes = "', '".join({hit.hash for hit in hits})  # in the text, as the numbers of `_units`
    place = "?" if db.dialect() == "sqlite" else "%s"
    rows = [row for row in db.rows(
        tx, f"SELECT hash, vector FROM embeddings WHERE model = {place} AND hash IN ('{hashes}')", (model.key,))
        if len(row[1]) == len(vector) * 4]
    matrix = np.frombuffer(b"".join(row[1] for row in rows), dtype="<f4").reshape(len(rows), len(vector))
    cosines = dict(zip((row[0] for row in rows), (matrix @ vector).tolist(), strict=True))
    for hit in hits:
        hit.cosine = cosines.get(hit.hash)


def _ranked(query: str, hits: list[_Hit], method: str, model: Embedder, settings: RetrievalSettings) -> list[_Hit]:
    """Give each hit its score and return them best first."""
    if method == "semantic_search":
        for hit in hits:
            hit.score = _likeness(hit.cosine or 0.0, model)
    elif method in ("full_text_search", "keyword_search"):
        best = max((hit.bm25 for hit in hits), default=0) or 1.0
        for hit in hits:
            hit.score = max(hit.bm25, 0.0) / best if best > 0 else 0.0
    else:
        low, high = _spread(hits, model)
        vector, words = settings.weights or DEFAULT_WEIGHTS
        vector, words = vector / DEFAULT_WEIGHTS[0], words / DEFAULT_WEIGHTS[1]
        share = KEYWORD_SHARES[keyword.kind(query)]
        whole = vector + words * share or 1.0
        for hit in hits:
            near = max((hit.cosine - low) / (high - low), 0.0) if hit.cosine is not None and high > low else 0.0
            said = share * max(hit.bm25, 0.0) + TRANSLATED_SHARE * hit.translated
            hit.score = (vector * near + words * said) / whole
    hits.sort(key=lambda hit: -hit.score)
    if method == "hybrid_search":
        match = titles.matcher(query)
        for hit in hits[:TITLES_READ]:
            hit.score += TITLE_SHARE * match(hit.heading) ** TITLE_POWER
        hits.sort(key=lambda hit: -hit.score)
        first: dict[str, str] = {}
        for hit in hits:
            if first.setdefault(hit.section, hit.segment_id) != hit.segment_id:
                hit.score *= SAME_SECTION
        for hit in hits:
            hit.score = _bounded(hit.score)
        hits.sort(key=lambda hit: -hit.score)
    return hits


def _likeness(cosine: float, model: Embedder) -> float:
    """Return what a cosine says of how well a passage fits (0..1), so that a threshold means the same with each model:
    of the embedded one it is known which cosines unrelated and right passages have."""
    if model.builtin:
        cosine = _bounded((cosine - builtin.COSINE_LOW) / (builtin.COSINE_HIGH - builtin.COSINE_LOW))
    return min(max(cosine, 0.0), 1.0)


def _bounded(score: float) -> float:
    """Return a score below 1 that tells high ones apart; others stay what they are."""
    return score if score <= _PLAIN else 1 - (1 - _PLAIN) * math.exp((_PLAIN - score) / (1 - _PLAIN))


def _spread(hits: list[_Hit], model: Embedder) -> tuple[float, float]:
    """Return the cosines that count as 0 and as 1: known of the embedded model, else those of the candidates."""
    if model.builtin:
        return builtin.COSINE_LOW, builtin.COSINE_HIGH
    cosines = [hit.cosine for hit in hits if hit.cosine is not None]
    return min(cosines, default=0.0), max(cosines, default=0.0)


def _passages(bases: list[dict[str, Any]], hits: list[_Hit], model: Embedder, limit: int) -> list[Passage]:
    """Resolve units to passages: children and summaries to theirs, with the best of their scores."""
    scores: dict[str, float] = {}
    apart: dict[str, dict[str, float]] = {}
    children: dict[str, dict[str, float]] = {}
    by_summary: set[str] = set()
    for hit in hits:
        if hit.segment_id not in scores and len(scores) >= limit:
            continue
        if hit.segment_id not in scores:
            scores[hit.segment_id] = hit.score
            if hit.summary:
                by_summary.add(hit.segment_id)
        # A passage's words are in one unit, its meaning in those of its children.
        said = apart.setdefault(hit.segment_id, {})
        near = None if hit.cosine is None else _likeness(hit.cosine, model)
        for name, value in (("semantic_search", near), ("full_text_search", hit.bm25 or None)):
            if value is not None:
                said[name] = max(said.get(name, 0.0), round(value, 6))
        if hit.child_id:
            children.setdefault(hit.segment_id, {}).setdefault(hit.child_id, hit.score)
    if not scores:
        return []
    names = {base["id"]: base["name"] for base in bases}
    with db.read() as tx:
        rows = {row.id: row for row in tx.execute(_PASSAGES, {"ids": list(scores)})}
        wanted = [child for found in children.values() for child in found]
        texts = {row["id"]: row for row in tx.execute(t.child_chunks.select().where(
            t.child_chunks.c.id.in_(wanted))).mappings()} if wanted else {}
    out = []
    for segment_id, score in scores.items():
        row = rows.get(segment_id)
        if row is None:
            continue
        matched = [{"id": child, "content": texts[child]["content"], "position": texts[child]["position"],
                    "score": round(min(value, 1.0), 6)} for child, value in children.get(segment_id, {}).items()
                   if child in texts]
        out.append(Passage(
            segment_id, row.dataset_id, names.get(row.dataset_id, ""), row.document_id, row.document_name,
            row.content, row.answer, round(min(score, 1.0), 6), row.position, row.heading or [], row.place_kind,
            row.place, [], matched, row.data_source_type, row.word_count, row.tokens, row.hit_count, row.hash,
            row.keywords, row.doc_metadata, row.file_id, row.created_at, apart[segment_id], row.attachments,
            summary=row.summary, by_summary=segment_id in by_summary))
    return out
