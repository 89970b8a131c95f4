"""Knowledge bases: create, look up, change, delete; which apps use them; statistics."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from sparrow import clock, ids, settings
from sparrow.errors import BadRequest, Conflict, Forbidden, NotFound
from sparrow.storage import db
from sparrow.storage.tables import knowledge as t

from . import attachments, chroma, chunk, external, indexing, mending, ocr, summaries, units, vectors
from .embed import builtin, embedder

TECHNIQUES = ("high_quality", "economy")
PERMISSIONS = ("only_me", "all_team_members", "partial_members")
MAX_NAME = 40
MAX_DESCRIPTION = 400
_ONE = db.Lookup(t.datasets.select().where(t.datasets.c.id == sa.bindparam("id")))  # every question reads a base


def default_retrieval(technique: str | None = "high_quality") -> dict[str, Any]:
    """Return the retrieval settings of a new base, in Dify's form."""
    return {
        "search_method": "keyword_search" if technique == "economy" else "hybrid_search",
        "reranking_enable": False, "reranking_mode": "weighted_score",
        "reranking_model": {"reranking_provider_name": "", "reranking_model_name": ""},
        "weights": None, "top_k": 4, "score_threshold_enabled": False, "score_threshold": 0.5}


def create(name: str, *, description: str = "", indexing_technique: str | None = None,
           permission: str = "only_me", provider: str = "vendor", embedding_model: str = "",
           embedding_model_provider: str = "", retrieval_model: dict | None = None, doc_form: str | None = None,
           external_knowledge_api_id: str | None = None, external_knowledge_id: str | None = None,
           external_retrieval_model: dict | None = None,
           summary_index_setting: dict | None = None) -> dict[str, Any]:
    """Create an empty base and return its row; raise BadRequest, or Conflict for a name that is taken."""
    name = clean_name(name)
    _one_of(indexing_technique, TECHNIQUES, "indexing_technique")
    _one_of(permission, PERMISSIONS, "permission")
    _one_of(provider, ("vendor", "external"), "provider")
    _one_of(doc_form, chunk.rules.DOC_FORMS, "doc_form")
    retrieval_model = fitted("retrieval_model", retrieval_model)
    external_retrieval_model = fitted("external_retrieval_model", external_retrieval_model)
    summary_index_setting = fitted("summary_index_setting", summary_index_setting)
    summaries.check(summary_index_setting)
    if len(description) > MAX_DESCRIPTION:
        raise BadRequest(f"Description cannot exceed {MAX_DESCRIPTION} characters.", params="description")
    if provider == "external":
        _check_server(external_knowledge_api_id)
        if not external_knowledge_id:
            raise BadRequest("external_knowledge_id is required.", params="external_knowledge_id")
    model = _model(embedding_model_provider, embedding_model)
    now = clock.now()
    row = {
        "id": ids.new_id(), "name": name, "description": description, "provider": provider,
        "permission": permission, "indexing_technique": indexing_technique, "doc_form": doc_form,
        "embedding_model": model.model, "embedding_model_provider": model.provider, "embedding_dimension": None,
        "index_epoch": 1, "retrieval_model": retrieval_model or default_retrieval(indexing_technique),
        "external_retrieval_model": external_retrieval_model or {
            "top_k": 4, "score_threshold": 0.5, "score_threshold_enabled": False} if provider == "external" else None,
        "external_knowledge_id": external_knowledge_id, "external_knowledge_api_id": external_knowledge_api_id,
        "summary_index_setting": summary_index_setting,
        "built_in_field_enabled": False, "enable_api": True, "created_at": now, "updated_at": now}
    try:
        with db.write() as tx:
            tx.execute(t.datasets.insert(), row)
    except sa.exc.IntegrityError as error:
        raise _duplicate() from error
    return get(row["id"])


def find_row(tx: Connection, dataset_id: str) -> Row | None:
    """Return a base's row, None where there is none."""
    return _ONE.first(tx, {"id": dataset_id})


def get(dataset_id: str, *, api: bool = False) -> dict[str, Any]:
    """Return a base's row; raise NotFound, or Forbidden where `api` access is switched off."""
    if not ids.is_uuid(dataset_id):
        raise NotFound("Dataset not found.")
    with db.read() as tx:
        row = find_row(tx, dataset_id)
    if row is None:
        raise NotFound("Dataset not found.")
    if api and not row.enable_api:
        raise Forbidden("Dataset api access is not enabled.")
    return row._asdict()


def search(*, page: int = 1, limit: int = 20, keyword: str = "", tag_ids: list[str] | None = None,
           dataset_ids: list[str] | None = None) -> tuple[list[dict[str, Any]], int]:
    """Return one page of bases, newest first, and their number."""
    where = [sa.true()]
    if keyword:
        where.append(t.datasets.c.name.icontains(keyword, autoescape=True))
    if tag_ids:
        where.append(t.datasets.c.id.in_(sa.select(t.dataset_tag_bindings.c.dataset_id).where(
            t.dataset_tag_bindings.c.tag_id.in_(tag_ids))))
    if dataset_ids is not None:
        where.append(t.datasets.c.id.in_(dataset_ids))
    with db.read() as tx:
        total = tx.execute(sa.select(sa.func.count()).select_from(t.datasets).where(*where)).scalar() or 0
        rows = tx.execute(t.datasets.select().where(*where).order_by(t.datasets.c.created_at.desc(), t.datasets.c.id)
                          .limit(limit).offset((page - 1) * limit)).mappings().all()
    return [dict(row) for row in rows], total


def update(dataset_id: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Change a base's settings and return its row; a changed embedding model starts a re-index."""
    row = get(dataset_id)
    values: dict[str, Any] = {}
    for key, value in changes.items():
        if value is None and key not in ("summary_index_setting", "process_rule"):
            continue
        if key == "name":
            values[key] = clean_name(value)
        elif key == "description":
            if len(value) > MAX_DESCRIPTION:
                raise BadRequest(f"Description cannot exceed {MAX_DESCRIPTION} characters.", params="description")
            values[key] = value
        elif key == "permission":
            _one_of(value, PERMISSIONS, key)
            values[key] = value
        elif key in ("retrieval_model", "external_retrieval_model", "summary_index_setting"):
            values[key] = fitted(key, value)
            if key == "summary_index_setting" and values[key] != row[key]:
                summaries.check(values[key])
        elif key == "process_rule":
            chunk.rules.parse(value, row["doc_form"] or "text_model")
            values[key] = value
        elif key in ("icon_info", "enable_api", "external_knowledge_id"):
            values[key] = value
        elif key == "external_knowledge_api_id":
            _check_server(value)
            values[key] = value
    technique = changes.get("indexing_technique")
    _one_of(technique, TECHNIQUES, "indexing_technique")
    if technique and technique != row["indexing_technique"]:
        if technique == "economy" and row["indexing_technique"] == "high_quality" and _count(dataset_id):
            raise BadRequest("A high-quality base cannot become economical.", params="indexing_technique")
        values["indexing_technique"] = technique
    again = False
    if changes.get("embedding_model"):
        model = _model(changes.get("embedding_model_provider") or "", changes["embedding_model"])
        if model != embedder(row["embedding_model_provider"], row["embedding_model"]):
            if _count(dataset_id):
                values.update(next_embedding_model=model.model, next_embedding_provider=model.provider)
                again = True
            else:
                values.update(embedding_model=model.model, embedding_model_provider=model.provider,
                              embedding_dimension=None)
    if values.get("indexing_technique") == "high_quality" and row["indexing_technique"] == "economy" \
            and _count(dataset_id) and not again:
        model = embedder(row["embedding_model_provider"], row["embedding_model"])
        values.update(next_embedding_model=model.model, next_embedding_provider=model.provider)
        again = True
        values.pop("indexing_technique")  # set when the vectors are there
    if values:
        try:
            with db.write() as tx:
                tx.execute(t.datasets.update().where(t.datasets.c.id == dataset_id).values(
                    **values, updated_at=clock.now()))
        except sa.exc.IntegrityError as error:
            raise _duplicate() from error
    if again:
        from . import reindex

        reindex.submit(dataset_id)
    return get(dataset_id)


@mending.healing
def delete(dataset_id: str) -> None:
    """Delete a base with all its documents, texts, vectors and files; raise Conflict while an app uses it."""
    row = get(dataset_id)
    if apps_of(dataset_id):
        raise Conflict("The knowledge base is used by an app. Remove it there first.", code="dataset_in_use")
    with db.write() as tx:
        units.forget(tx)
        held = files_of(tx, t.documents.c.dataset_id == dataset_id)
        document_ids = list(tx.execute(sa.select(t.documents.c.id).where(
            t.documents.c.dataset_id == dataset_id)).scalars())
        summaries.forget(tx, sa.select(t.documents.c.id).where(t.documents.c.dataset_id == dataset_id))
        tx.execute(t.documents.delete().where(t.documents.c.dataset_id == dataset_id))
        units.remove(tx, t.units.c.dataset_id == dataset_id)
        tx.execute(t.vector_removals.delete().where(t.vector_removals.c.dataset_id == dataset_id))
        for table in (t.child_chunks, t.segments, t.metadata_fields, t.dataset_queries, t.dataset_tag_bindings,
                      t.app_datasets):
            tx.execute(table.delete().where(table.c.dataset_id == dataset_id))
        tx.execute(t.datasets.delete().where(t.datasets.c.id == dataset_id))
        ocr.forget(tx, attachments.release(tx, held))
        units.collect_vectors(tx)
    for document_id in document_ids:
        indexing.remove_spool(document_id)
    vectors.drop(dataset_id)
    units.checkpoint()
    try:
        chroma.drop(chroma.collection_name(dataset_id, row["index_epoch"]))
    except chroma.Down:
        pass  # `check_all` drops collections without a base
    want_chroma()


def facts(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return {dataset id: counts} for a list of bases: documents, available ones, words, passages, apps, tags."""
    chosen = [row["id"] for row in rows]
    out = {dataset_id: {"document_count": 0, "available": 0, "word_count": 0, "segment_count": 0, "app_count": 0,
                        "tags": [], "metadata": []} for dataset_id in chosen}
    if not chosen:
        return out
    d, s = t.documents.c, t.segments.c
    with db.read() as tx:
        available = sa.case((sa.and_(d.indexing_status == "completed", d.enabled.is_(True), d.archived.is_(False)), 1),
                            else_=0)
        for dataset_id, number, ready, words in tx.execute(
                sa.select(d.dataset_id, sa.func.count(), sa.func.sum(available), sa.func.sum(d.word_count))
                .where(d.dataset_id.in_(chosen)).group_by(d.dataset_id)):
            out[dataset_id].update(document_count=number, available=int(ready), word_count=int(words or 0))
        for dataset_id, number in tx.execute(sa.select(s.dataset_id, sa.func.count()).where(
                s.dataset_id.in_(chosen)).group_by(s.dataset_id)):
            out[dataset_id]["segment_count"] = number
        for dataset_id, number in tx.execute(
                sa.select(t.app_datasets.c.dataset_id, sa.func.count()).where(
                    t.app_datasets.c.dataset_id.in_(chosen)).group_by(t.app_datasets.c.dataset_id)):
            out[dataset_id]["app_count"] = number
        for dataset_id, tag_id, name in tx.execute(
                sa.select(t.dataset_tag_bindings.c.dataset_id, t.dataset_tags.c.id, t.dataset_tags.c.name)
                .join(t.dataset_tags, t.dataset_tags.c.id == t.dataset_tag_bindings.c.tag_id)
                .where(t.dataset_tag_bindings.c.dataset_id.in_(chosen)).order_by(t.dataset_tags.c.name)):
            out[dataset_id]["tags"].append({"id": tag_id, "name": name, "type": "knowledge"})
        for dataset_id, field_id, name, kind in tx.execute(
                sa.select(t.metadata_fields.c.dataset_id, t.metadata_fields.c.id, t.metadata_fields.c.name,
                          t.metadata_fields.c.type).where(t.metadata_fields.c.dataset_id.in_(chosen))
                .order_by(t.metadata_fields.c.created_at)):
            out[dataset_id]["metadata"].append({"id": field_id, "name": name, "type": kind})
    return out


def apps_of(dataset_id: str) -> list[str]:
    """Return the ids of the apps that use a base."""
    with db.read() as tx:
        return list(tx.execute(sa.select(t.app_datasets.c.app_id).where(
            t.app_datasets.c.dataset_id == dataset_id)).scalars())


def want_chroma() -> None:
    """Ask the box for Chroma's server while there is a base with vectors, and let it stop when there is none."""
    flag = settings.get().wanted_flag("chroma")
    with db.read() as tx:
        wanted = tx.execute(sa.select(t.datasets.c.id).where(
            t.datasets.c.provider == "vendor", t.datasets.c.indexing_technique == "high_quality").limit(1)).first()
    try:
        if wanted and settings.get().rag:
            flag.parent.mkdir(parents=True, exist_ok=True)
            flag.touch()
        else:
            flag.unlink(missing_ok=True)
    except OSError:
        pass  # the exact search serves


def clean_name(name: str) -> str:
    """Return a base's name without blanks around it; raise BadRequest where it is empty or too long."""
    name = (name or "").strip()
    if not name or len(name) > MAX_NAME or "\x00" in name:
        raise BadRequest(f"Name must be between 1 to {MAX_NAME} characters.", params="name")
    return name


def check_embedding(provider: str | None, model: str | None, *, code: str = "invalid_param") -> None:
    """Raise BadRequest, with a code, for an embedding model that is not set up here; without names nothing is wrong."""
    chosen = _model(provider or "", model or "")
    if chosen.builtin:
        return
    from sparrow.messages import ModelError, ModelRef
    from sparrow.providers import catalog
    from sparrow.providers.store import hub, source

    try:
        native, _ = hub().resolve(ModelRef(chosen.provider, chosen.model), "text-embedding")
        hub().targets(ModelRef(chosen.provider, chosen.model), "text-embedding")
    except ModelError as error:
        raise BadRequest(str(error), code=code, params="embedding_model") from error
    if source().model(native, "text-embedding", chosen.model) is None \
            and catalog.preset_model(native, "text-embedding", chosen.model) is None:
        raise BadRequest(f"{chosen.provider} has no embedding model {chosen.model}. Add it on the models page.",
                         code=code, params="embedding_model")


def _model(provider: str, model: str):
    if provider in ("", "sparrow") and model in ("", builtin.MODEL):
        return embedder("", "")
    return embedder(provider, model)


def _count(dataset_id: str) -> int:
    with db.read() as tx:
        return tx.execute(sa.select(sa.func.count()).select_from(t.segments).where(
            t.segments.c.dataset_id == dataset_id)).scalar() or 0


def files_of(tx, condition) -> list[str]:
    """Return the ids of the files that documents hold: originals, pictures, and what is bound to their passages."""
    found = attachments.bound(tx, t.segments.c.document_id.in_(sa.select(t.documents.c.id).where(condition)))
    for file_id, info in tx.execute(sa.select(t.documents.c.file_id, t.documents.c.data_source_info).where(condition)):
        found += [file_id] if file_id else []
        found += (info or {}).get("images") or []
    return found


def _one_of(value: Any, allowed: tuple[str, ...], name: str) -> None:
    if value is not None and value not in allowed:
        raise BadRequest(f"{name} must be one of {', '.join(allowed)}.", params=name)


def _check_server(api_id: str | None) -> None:
    try:
        external.get(api_id or "")
    except NotFound as error:
        raise BadRequest(error.message, params="external_knowledge_api_id") from error


def fitted(name: str, given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a retrieval_model, external_retrieval_model or summary_index_setting made to fit its form; refuse what
    is not as Dify's are, or for which every later question would be refused."""
    from sparrow.knowledge.retrieve import forms, settings

    given = forms.fitted(name, given)
    if name != "summary_index_setting":
        settings.parse(given)
    return given


def _duplicate() -> Conflict:
    return Conflict("The dataset name already exists. Please modify your dataset name.",
                    code="dataset_name_duplicate")
