"""Knowledge bases: documents, passages, vectors, the keyword index, metadata, tags and the log of questions."""

from sqlalchemy import (
    DDL,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    false,
    text,
    true,
)

from ..types import Json
from .metadata import id_column, metadata, reference, times

# provider: vendor (ours) or external. index_epoch grows whenever the vectors of a base are made anew, so that no
# index built from the old ones is taken for good. next_embedding_*: the model a re-index is under way to; the
# old vectors serve until it is done.
datasets = Table(
    "datasets", metadata,
    id_column(),
    Column("name", String(120), nullable=False, unique=True),
    Column("description", Text, nullable=False, server_default=""),
    Column("provider", String(16), nullable=False, server_default="vendor"),
    Column("permission", String(32), nullable=False, server_default="only_me"),
    Column("indexing_technique", String(16), nullable=True),
    Column("doc_form", String(32), nullable=True),
    Column("embedding_model", String(255), nullable=False, server_default=""),
    Column("embedding_model_provider", String(255), nullable=False, server_default=""),
    Column("embedding_dimension", Integer, nullable=True),
    Column("next_embedding_model", String(255), nullable=True),
    Column("next_embedding_provider", String(255), nullable=True),
    Column("index_epoch", Integer, nullable=False, server_default="1"),
    Column("retrieval_model", Json, nullable=True),
    Column("external_retrieval_model", Json, nullable=True),
    Column("external_knowledge_id", String(255), nullable=True),
    Column("external_knowledge_api_id", String(36), nullable=True),
    Column("summary_index_setting", Json, nullable=True),
    Column("icon_info", Json, nullable=True),
    Column("process_rule", Json, nullable=True),
    Column("built_in_field_enabled", Boolean, nullable=False, default=False),
    Column("enable_api", Boolean, nullable=False, default=True),
    *times(),
)

# A server of Dify's external knowledge contract (POST {endpoint}/retrieval). api_key is encrypted.
external_knowledge_apis = Table(
    "external_knowledge_apis", metadata,
    id_column(),
    Column("name", String(120), nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("endpoint", Text, nullable=False),
    Column("api_key", Text, nullable=False),
    *times(),
)

# stage: waiting, parsing, splitting, indexing, done; done/total count the stage's own unit (pages, then chunks).
# control: what the user asked of a running job: "" | pause | cancel. revision grows with every change of the
# text or the rule: a spool or a job of an older one is not used. summary_*: how far the writing of its passages'
# summaries is; summary_state: "" (nothing to do), waiting, paused, error.
documents = Table(
    "documents", metadata,
    id_column(),
    reference("dataset_id"),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("data_source_type", String(32), nullable=False, server_default="upload_file"),
    Column("data_source_info", Json, nullable=True),
    Column("created_from", String(16), nullable=False, server_default="web"),
    Column("file_id", String(36), nullable=True, index=True),
    Column("batch", String(64), nullable=False, index=True),
    Column("doc_form", String(32), nullable=False, server_default="text_model"),
    Column("doc_language", String(32), nullable=False, server_default="English"),
    Column("doc_type", String(64), nullable=True),
    Column("doc_metadata", Json, nullable=True),
    Column("process_rule", Json, nullable=True),
    Column("process_rule_id", String(36), nullable=True),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("indexing_status", String(16), nullable=False, server_default="waiting", index=True),
    Column("control", String(8), nullable=False, server_default=""),
    Column("stage", String(16), nullable=False, server_default="waiting"),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=False, server_default="0"),
    Column("speed", Float, nullable=False, server_default="0"),
    Column("error", Text, nullable=True),
    Column("error_code", String(64), nullable=True),
    Column("notices", Json, nullable=True),
    Column("word_count", Integer, nullable=False, server_default="0"),
    Column("tokens", Integer, nullable=False, server_default="0"),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("archived", Boolean, nullable=False, default=False),
    Column("disabled_at", Float, nullable=True),
    Column("archived_at", Float, nullable=True),
    Column("processing_started_at", Float, nullable=True),
    Column("parsing_completed_at", Float, nullable=True),
    Column("cleaning_completed_at", Float, nullable=True),
    Column("splitting_completed_at", Float, nullable=True),
    Column("completed_at", Float, nullable=True),
    Column("paused_at", Float, nullable=True),
    Column("stopped_at", Float, nullable=True),
    *times(),
    Column("summary_state", String(8), nullable=False, server_default=""),
    Column("summary_error", Text, nullable=True),
    Column("summary_done", Integer, nullable=False, server_default="0"),
    Column("summary_total", Integer, nullable=False, server_default="0"),
    Index("ix_documents_dataset_id_position", "dataset_id", "position"),
)

# A passage. `origin` is file (made by the indexer, addressed by position) or user (added by hand): the indexer only
# ever touches its own. `hash` names the text that is embedded (headings and content). summary_due: a model is to write
# its summary, anew if it has one.
segments = Table(
    "segments", metadata,
    id_column(),
    reference("dataset_id"),
    reference("document_id"),
    Column("position", Integer, nullable=False),
    Column("origin", String(8), nullable=False, server_default="file"),
    Column("content", Text, nullable=False),
    Column("answer", Text, nullable=True),
    Column("heading", Json, nullable=True),
    Column("place_kind", String(16), nullable=False, server_default=""),
    Column("place", Text, nullable=False, server_default=""),
    Column("kind", String(16), nullable=False, server_default="text"),
    Column("hash", String(64), nullable=False),
    Column("word_count", Integer, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("keywords", Json, nullable=True),
    Column("attachments", Json, nullable=True),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("status", String(16), nullable=False, server_default="completed"),
    Column("error", Text, nullable=True),
    Column("hit_count", Integer, nullable=False, server_default="0"),
    Column("disabled_at", Float, nullable=True),
    Column("indexing_at", Float, nullable=True),
    Column("completed_at", Float, nullable=True),
    *times(),
    Column("summary", Text, nullable=True),
    Column("summary_due", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("document_id", "position"),
    Index("ix_segments_dataset_id", "dataset_id"),
    # Few have images bound to them, and who deletes a document looks through them all. (With `postgresql_where` SQLite
    # would load the dialect of PostgreSQL.)
    Index("ix_segments_attachments", "document_id", sqlite_where=text("attachments IS NOT NULL")),
)

# The parts of a parent passage that are matched in its place.
child_chunks = Table(
    "child_chunks", metadata,
    id_column(),
    reference("dataset_id"),
    reference("document_id", index=True),
    reference("segment_id"),
    Column("position", Integer, nullable=False),
    Column("content", Text, nullable=False),
    Column("word_count", Integer, nullable=False),
    Column("type", String(16), nullable=False, server_default="automatic"),
    *times(),
    Index("ix_child_chunks_segment_id_position", "segment_id", "position"),
)

# What the indexes hold: a serial number for each text that can be matched. It is the rowid of the keyword index,
# the id in Chroma and the row's name in the vector file. uses: v (vector), k (keyword), vk (both).
# synced: Chroma has it. heading and enabled are the passage's, here for those who rank hundreds of units a question.
# summary: the text is the passage's summary.
units = Table(
    "knowledge_units", metadata,
    Column("serial", Integer, primary_key=True, autoincrement=True),
    reference("dataset_id"),
    reference("document_id", index=True),
    reference("segment_id", index=True),
    reference("child_id", nullable=True, index=True),
    Column("hash", String(64), nullable=False, index=True),
    Column("uses", String(2), nullable=False),
    Column("synced", Boolean, nullable=False, default=False),
    Column("heading", Json, nullable=True),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("summary", Boolean, nullable=False, server_default=false()),
    Index("ix_knowledge_units_dataset_id_synced", "dataset_id", "synced"),
    sqlite_autoincrement=True,  # a serial is never used twice, or an index could show a deleted text's number
)

# Vectors by model and text: a text that comes again is not embedded again. float32, little endian, unit length.
embeddings = Table(
    "embeddings", metadata,
    Column("model", String(255), primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

# What a vision model has read on scanned pages (from 1) of a file, as Markdown; "" where it found nothing written.
# A page is paid for once, however often its document is cut anew. model: provider/name.
page_texts = Table(
    "page_texts", metadata,
    Column("file_id", String(36), primary_key=True),
    Column("page", Integer, primary_key=True, autoincrement=False),
    Column("model", String(255), nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

# A web site that is being read, or was a day ago. state: waiting, running, completed, failed, stopped. site is the
# address that the first one led to, by which pages are of the site; robots is what its robots.txt says.
crawls = Table(
    "crawls", metadata,
    id_column(),
    reference("dataset_id", index=True),
    Column("options", Json, nullable=False),
    Column("site", Text, nullable=True),
    Column("robots", Text, nullable=True),
    Column("state", String(16), nullable=False),
    Column("error", Text, nullable=True),
    *times(),
)

# An address of a crawl. state: waiting, found (its document is the file), skipped (`reason` says why). hash names its
# text.
crawl_pages = Table(
    "crawl_pages", metadata,
    id_column(),
    reference("crawl_id"),
    Column("position", Integer, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("url", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("reason", Text, nullable=True),
    Column("title", Text, nullable=False, server_default=""),
    Column("description", Text, nullable=False, server_default=""),
    Column("size", Integer, nullable=False, server_default="0"),
    Column("hash", String(64), nullable=True),
    Column("file_id", String(36), nullable=True, index=True),
    Index("ix_crawl_pages_crawl_id_position", "crawl_id", "position"),
)

# Summaries of a document that is being cut anew, by the text (`segments.hash`) they are of: one that comes again keeps
# its own.
kept_summaries = Table(
    "kept_summaries", metadata,
    reference("document_id", primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("summary", Text, nullable=False),
)

# Units that are gone from the database and not yet from Chroma.
vector_removals = Table(
    "vector_removals", metadata,
    Column("serial", Integer, primary_key=True, autoincrement=False),
    reference("dataset_id", index=True),
)

metadata_fields = Table(
    "dataset_metadata_fields", metadata,
    id_column(),
    reference("dataset_id"),
    Column("name", String(255), nullable=False),
    Column("type", String(16), nullable=False),
    *times(),
    UniqueConstraint("dataset_id", "name"),
)

# source: hit_testing, app, api. Questions asked of a base, for "recent queries" and statistics.
dataset_queries = Table(
    "dataset_queries", metadata,
    id_column(),
    reference("dataset_id"),
    Column("content", Text, nullable=False),
    Column("source", String(16), nullable=False),
    reference("app_id", nullable=True),
    Column("created_at", Float, nullable=False),
    Index("ix_dataset_queries_dataset_id_created_at", "dataset_id", "created_at"),
)

# Which apps use which base; written by the apps room when an app is saved.
app_datasets = Table(
    "app_datasets", metadata,
    reference("app_id", primary_key=True),
    reference("dataset_id", primary_key=True, index=True),
    Column("created_at", Float, nullable=False),
)

dataset_tags = Table(
    "dataset_tags", metadata,
    id_column(),
    Column("name", String(50), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
)

dataset_tag_bindings = Table(
    "dataset_tag_bindings", metadata,
    reference("tag_id", primary_key=True),
    reference("dataset_id", primary_key=True, index=True),
    Column("created_at", Float, nullable=False),
)

# Knowledge keys open all bases (`/v1/datasets*`). Only the SHA-256 of a key is kept.
dataset_keys = Table(
    "dataset_keys", metadata,
    id_column(),
    Column("name", String(255), nullable=False, server_default=""),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("masked", String(64), nullable=False),
    Column("last_used_at", Float, nullable=True),
    Column("created_at", Float, nullable=False),
)

# The keyword index holds tokens made in Python (sparrow.knowledge.keyword), so that both databases find the same.
# On SQLite it keeps no text, and names the base in a column of its own, which has no weight; the terms of deleted
# rows go with the merge that follows a deletion. On PostgreSQL the terms are an array with a GIN index.
KEYWORD_INDEX = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS knowledge_fts USING fts5("
    "tokens, base, content='', contentless_delete=1, detail=full, tokenize='porter unicode61 remove_diacritics 2')",
    "CREATE VIRTUAL TABLE IF NOT EXISTS knowledge_terms USING fts5vocab('knowledge_fts', 'row')",
)
for _statement in KEYWORD_INDEX:
    event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect="sqlite"))
for _statement in (
    "CREATE TABLE IF NOT EXISTS knowledge_fts (serial BIGINT PRIMARY KEY, dataset_id VARCHAR(36) NOT NULL, "
    "terms TEXT[] NOT NULL, counts SMALLINT[] NOT NULL, length INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS ix_knowledge_fts_terms ON knowledge_fts USING gin (terms)",
    "CREATE INDEX IF NOT EXISTS ix_knowledge_fts_dataset_id ON knowledge_fts (dataset_id)",
):
    event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect="postgresql"))
