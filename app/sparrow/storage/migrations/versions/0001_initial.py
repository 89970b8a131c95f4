"""The first tables, written out: what a released migration makes never changes with the code."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "accounts", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=16), server_default="zh-Hans", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")))
    op.create_table(
        "api_extensions", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False), sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("api_key", sa.Text(), nullable=False), sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_extensions")))
    op.create_table(
        "app_annotations", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("app_id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=True),
        sa.Column("question", sa.Text(), nullable=False), sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("vector", sa.Text(), nullable=True), sa.Column("hit_count", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_annotations")))
    op.create_index(op.f("ix_app_annotations_app_id"), "app_annotations", ["app_id"], unique=False)
    op.create_table(
        "app_datasets", sa.Column("app_id", sa.String(length=36), nullable=False),
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("app_id", "dataset_id", name=op.f("pk_app_datasets")))
    op.create_index(op.f("ix_app_datasets_dataset_id"), "app_datasets", ["dataset_id"], unique=False)
    op.create_table(
        "app_imports", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("content", sa.Text(), nullable=False), sa.Column("options", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_imports")))
    op.create_table(
        "app_keys", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("app_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("masked", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("last_used_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_keys")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_app_keys_token_hash")))
    op.create_index(op.f("ix_app_keys_app_id"), "app_keys", ["app_id"], unique=False)
    op.create_table(
        "app_tags", sa.Column("app_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("app_id", "name", name=op.f("pk_app_tags")))
    op.create_table(
        "app_versions", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("app_id", sa.String(length=36), nullable=False), sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("notes", sa.Text(), server_default="", nullable=False),
        sa.Column("content", sa.Text(), nullable=False), sa.Column("secrets", sa.Text(), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=False), sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_versions")))
    op.create_index("uq_app_versions_number", "app_versions", ["app_id", "number"], unique=True)
    op.create_table(
        "apps", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("mode", sa.String(length=32), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("icon_type", sa.String(length=16), server_default="emoji", nullable=False),
        sa.Column("icon", sa.Text(), server_default="", nullable=False),
        sa.Column("icon_background", sa.String(length=255), server_default="#FFFFFF", nullable=False),
        sa.Column("use_icon_as_answer_icon", sa.Boolean(), nullable=False),
        sa.Column("enable_site", sa.Boolean(), nullable=False),
        sa.Column("enable_api", sa.Boolean(), nullable=False), sa.Column("source", sa.Text(), nullable=True),
        sa.Column("site", sa.Text(), nullable=True), sa.Column("annotation_reply", sa.Text(), nullable=True),
        sa.Column("published_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_apps")))
    op.create_index("ix_apps_updated", "apps", ["updated_at"], unique=False)
    op.create_table(
        "child_chunks", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("segment_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False), sa.Column("content", sa.Text(), nullable=False),
        sa.Column("word_count", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=16), server_default="automatic", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_child_chunks")))
    op.create_index(op.f("ix_child_chunks_document_id"), "child_chunks", ["document_id"], unique=False)
    op.create_index("ix_child_chunks_segment_id_position", "child_chunks", ["segment_id", "position"], unique=False)
    op.create_table(
        "conversations", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("app_id", sa.String(length=36), nullable=False),
        sa.Column("end_user_id", sa.String(length=36), nullable=False),
        sa.Column("created_from", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("introduction", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.String(length=16), server_default="normal", nullable=False),
        sa.Column("variables", sa.Text(), nullable=True), sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False), sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")))
    op.create_index("ix_conversations_app", "conversations", ["app_id", "updated_at"], unique=False)
    op.create_index("ix_conversations_user", "conversations", ["end_user_id", "updated_at"], unique=False)
    op.create_table(
        "dataset_keys", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("masked", sa.String(length=64), nullable=False),
        sa.Column("last_used_at", sa.Float(), nullable=True), sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_keys")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_dataset_keys_token_hash")))
    op.create_table(
        "dataset_metadata_fields", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False), sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_metadata_fields")),
        sa.UniqueConstraint("dataset_id", "name", name=op.f("uq_dataset_metadata_fields_dataset_id_name")))
    op.create_table(
        "dataset_queries", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("content", sa.Text(), nullable=False), sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("app_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_queries")))
    op.create_index("ix_dataset_queries_dataset_id_created_at", "dataset_queries", ["dataset_id", "created_at"],
                    unique=False)
    op.create_table(
        "dataset_tag_bindings", sa.Column("tag_id", sa.String(length=36), nullable=False),
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("tag_id", "dataset_id", name=op.f("pk_dataset_tag_bindings")))
    op.create_index(op.f("ix_dataset_tag_bindings_dataset_id"), "dataset_tag_bindings", ["dataset_id"], unique=False)
    op.create_table(
        "dataset_tags", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False), sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_tags")),
        sa.UniqueConstraint("name", name=op.f("uq_dataset_tags_name")))
    op.create_table(
        "datasets", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("provider", sa.String(length=16), server_default="vendor", nullable=False),
        sa.Column("permission", sa.String(length=32), server_default="only_me", nullable=False),
        sa.Column("indexing_technique", sa.String(length=16), nullable=True),
        sa.Column("doc_form", sa.String(length=32), nullable=True),
        sa.Column("embedding_model", sa.String(length=255), server_default="", nullable=False),
        sa.Column("embedding_model_provider", sa.String(length=255), server_default="", nullable=False),
        sa.Column("embedding_dimension", sa.Integer(), nullable=True),
        sa.Column("next_embedding_model", sa.String(length=255), nullable=True),
        sa.Column("next_embedding_provider", sa.String(length=255), nullable=True),
        sa.Column("index_epoch", sa.Integer(), server_default="1", nullable=False),
        sa.Column("retrieval_model", sa.Text(), nullable=True),
        sa.Column("external_retrieval_model", sa.Text(), nullable=True),
        sa.Column("external_knowledge_id", sa.String(length=255), nullable=True),
        sa.Column("external_knowledge_api_id", sa.String(length=36), nullable=True),
        sa.Column("summary_index_setting", sa.Text(), nullable=True),
        sa.Column("icon_info", sa.Text(), nullable=True), sa.Column("process_rule", sa.Text(), nullable=True),
        sa.Column("built_in_field_enabled", sa.Boolean(), nullable=False),
        sa.Column("enable_api", sa.Boolean(), nullable=False), sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False), sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint("name", name=op.f("uq_datasets_name")))
    op.create_table(
        "documents", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False), sa.Column("name", sa.Text(), nullable=False),
        sa.Column("data_source_type", sa.String(length=32), server_default="upload_file", nullable=False),
        sa.Column("data_source_info", sa.Text(), nullable=True),
        sa.Column("created_from", sa.String(length=16), server_default="web", nullable=False),
        sa.Column("file_id", sa.String(length=36), nullable=True),
        sa.Column("batch", sa.String(length=64), nullable=False),
        sa.Column("doc_form", sa.String(length=32), server_default="text_model", nullable=False),
        sa.Column("doc_language", sa.String(length=32), server_default="English", nullable=False),
        sa.Column("doc_type", sa.String(length=64), nullable=True),
        sa.Column("doc_metadata", sa.Text(), nullable=True), sa.Column("process_rule", sa.Text(), nullable=True),
        sa.Column("process_rule_id", sa.String(length=36), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("indexing_status", sa.String(length=16), server_default="waiting", nullable=False),
        sa.Column("control", sa.String(length=8), server_default="", nullable=False),
        sa.Column("stage", sa.String(length=16), server_default="waiting", nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("speed", sa.Float(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True), sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("notices", sa.Text(), nullable=True),
        sa.Column("word_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False), sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("disabled_at", sa.Float(), nullable=True), sa.Column("archived_at", sa.Float(), nullable=True),
        sa.Column("processing_started_at", sa.Float(), nullable=True),
        sa.Column("parsing_completed_at", sa.Float(), nullable=True),
        sa.Column("cleaning_completed_at", sa.Float(), nullable=True),
        sa.Column("splitting_completed_at", sa.Float(), nullable=True),
        sa.Column("completed_at", sa.Float(), nullable=True), sa.Column("paused_at", sa.Float(), nullable=True),
        sa.Column("stopped_at", sa.Float(), nullable=True), sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False), sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")))
    op.create_index(op.f("ix_documents_batch"), "documents", ["batch"], unique=False)
    op.create_index("ix_documents_dataset_id_position", "documents", ["dataset_id", "position"], unique=False)
    op.create_index(op.f("ix_documents_file_id"), "documents", ["file_id"], unique=False)
    op.create_index(op.f("ix_documents_indexing_status"), "documents", ["indexing_status"], unique=False)
    op.create_table(
        "embeddings", sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("model", "hash", name=op.f("pk_embeddings")))
    op.create_table(
        "end_users", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("app_id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_end_users")))
    op.create_index("uq_end_users_session", "end_users", ["app_id", "type", "session_id"], unique=True)
    op.create_table(
        "external_knowledge_apis", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False), sa.Column("api_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_knowledge_apis")))
    op.create_table(
        "feedbacks", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("app_id", sa.String(length=36), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=True),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("end_user_id", sa.String(length=36), nullable=True),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("rating", sa.String(length=8), nullable=False), sa.Column("content", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedbacks")))
    op.create_index("ix_feedbacks_app", "feedbacks", ["app_id", "created_at"], unique=False)
    op.create_index("uq_feedbacks_message", "feedbacks", ["message_id", "source"], unique=True)
    op.create_table(
        "files", sa.Column("id", sa.String(length=36), nullable=False), sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("extension", sa.String(length=32), nullable=False),
        sa.Column("mime_type", sa.String(length=255), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("app_id", sa.String(length=36), nullable=True),
        sa.Column("created_by", sa.String(length=255), server_default="", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False), sa.PrimaryKeyConstraint("id", name=op.f("pk_files")))
    op.create_index(op.f("ix_files_app_id"), "files", ["app_id"], unique=False)
    op.create_index(op.f("ix_files_sha256"), "files", ["sha256"], unique=False)
    op.create_table(
        "human_forms", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("app_id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("node_id", sa.String(length=128), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False), sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False), sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True), sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_human_forms")),
        sa.UniqueConstraint("token", name=op.f("uq_human_forms_token")))
    op.create_index(op.f("ix_human_forms_run_id"), "human_forms", ["run_id"], unique=False)
    op.create_table(
        "jobs", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=128), server_default="", nullable=False),
        sa.Column("payload", sa.Text(), nullable=False), sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worker", sa.String(length=64), nullable=True), sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_at", sa.Float(), nullable=True), sa.Column("finished_at", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")))
    op.create_index("ix_jobs_key", "jobs", ["key"], unique=False)
    op.create_index("ix_jobs_state", "jobs", ["state", "created_at"], unique=False)
    op.create_table(
        "knowledge_units", sa.Column("serial", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("segment_id", sa.String(length=36), nullable=False),
        sa.Column("child_id", sa.String(length=36), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("uses", sa.String(length=2), nullable=False), sa.Column("synced", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_knowledge_units")), sqlite_autoincrement=True)
    op.create_index(op.f("ix_knowledge_units_child_id"), "knowledge_units", ["child_id"], unique=False)
    op.create_index("ix_knowledge_units_dataset_id_synced", "knowledge_units", ["dataset_id", "synced"], unique=False)
    op.create_index(op.f("ix_knowledge_units_document_id"), "knowledge_units", ["document_id"], unique=False)
    op.create_index(op.f("ix_knowledge_units_hash"), "knowledge_units", ["hash"], unique=False)
    op.create_index(op.f("ix_knowledge_units_segment_id"), "knowledge_units", ["segment_id"], unique=False)
    op.create_table(
        "messages", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("app_id", sa.String(length=36), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=True),
        sa.Column("end_user_id", sa.String(length=36), nullable=False),
        sa.Column("version_id", sa.String(length=36), nullable=True),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("created_from", sa.String(length=32), nullable=False),
        sa.Column("query", sa.Text(), nullable=False), sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False), sa.Column("error", sa.Text(), nullable=True),
        sa.Column("details", sa.Text(), nullable=True), sa.Column("prompt", sa.Text(), nullable=True),
        sa.Column("owner", sa.String(length=64), server_default="", nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False), sa.Column("latency", sa.Float(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")))
    op.create_index("ix_messages_app", "messages", ["app_id", "created_at"], unique=False)
    op.create_index("ix_messages_conversation", "messages", ["conversation_id", "created_at"], unique=False)
    op.create_index("ix_messages_status", "messages", ["status"], unique=False)
    op.create_table(
        "node_executions", sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("execution_id", sa.String(length=64), nullable=False),
        sa.Column("node_id", sa.String(length=128), nullable=False),
        sa.Column("node_type", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False), sa.Column("inputs", sa.Text(), nullable=True),
        sa.Column("process_data", sa.Text(), nullable=True), sa.Column("outputs", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True), sa.Column("elapsed_time", sa.Float(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("container_id", sa.String(length=128), nullable=True),
        sa.Column("container_index", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("finished_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_node_executions")))
    op.create_table(
        "provider_credentials", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False), sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("key_masked", sa.String(length=64), nullable=False), sa.Column("extra", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False), sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_credentials")),
        sa.UniqueConstraint("provider", "name", name=op.f("uq_provider_credentials_provider_name")))
    op.create_index(op.f("ix_provider_credentials_provider"), "provider_credentials", ["provider"], unique=False)
    op.create_table(
        "provider_models", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False), sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_models")),
        sa.UniqueConstraint("provider", "type", "model", name=op.f("uq_provider_models_provider_type_model")))
    op.create_table(
        "segments", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(length=8), server_default="file", nullable=False),
        sa.Column("content", sa.Text(), nullable=False), sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("heading", sa.Text(), nullable=True),
        sa.Column("place_kind", sa.String(length=16), server_default="", nullable=False),
        sa.Column("place", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=16), server_default="text", nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("word_count", sa.Integer(), nullable=False), sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("keywords", sa.Text(), nullable=True), sa.Column("attachments", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), server_default="completed", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("hit_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("disabled_at", sa.Float(), nullable=True), sa.Column("indexing_at", sa.Float(), nullable=True),
        sa.Column("completed_at", sa.Float(), nullable=True), sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False), sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint("document_id", "position", name=op.f("uq_segments_document_id_position")))
    op.create_index("ix_segments_dataset_id", "segments", ["dataset_id"], unique=False)
    op.create_table(
        "sessions", sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("csrf_token", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")))
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False)
    op.create_table(
        "settings", sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=True), sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")))
    op.create_table(
        "vector_removals", sa.Column("serial", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_vector_removals")))
    op.create_index(op.f("ix_vector_removals_dataset_id"), "vector_removals", ["dataset_id"], unique=False)
    op.create_table(
        "workflow_runs", sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("app_id", sa.String(length=36), nullable=False),
        sa.Column("version_id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=True),
        sa.Column("end_user_id", sa.String(length=36), nullable=True),
        sa.Column("triggered_from", sa.String(length=16), nullable=False),
        sa.Column("created_from", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False), sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("outputs", sa.Text(), nullable=True), sa.Column("error", sa.Text(), nullable=True),
        sa.Column("elapsed_time", sa.Float(), nullable=False),
        sa.Column("total_tokens", sa.Integer(), nullable=False),
        sa.Column("total_steps", sa.Integer(), nullable=False),
        sa.Column("exceptions_count", sa.Integer(), nullable=False), sa.Column("state", sa.Text(), nullable=True),
        sa.Column("owner", sa.String(length=64), server_default="", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False), sa.Column("finished_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_runs")))
    op.create_index("ix_workflow_runs_app", "workflow_runs", ["app_id", "created_at"], unique=False)
    op.create_index("ix_workflow_runs_status", "workflow_runs", ["status"], unique=False)
    for statement in _FTS[op.get_bind().dialect.name]:
        op.execute(statement)


# The keyword index: see sparrow.storage.tables.knowledge.
_FTS = {
    "sqlite": (
        "CREATE VIRTUAL TABLE knowledge_fts USING fts5("
        "tokens, base, content='', contentless_delete=1, detail=full, tokenize='porter unicode61 remove_diacritics 2')",
        "CREATE VIRTUAL TABLE knowledge_terms USING fts5vocab('knowledge_fts', 'row')"),
    "postgresql": (
        "CREATE TABLE knowledge_fts (serial BIGINT PRIMARY KEY, dataset_id VARCHAR(36) NOT NULL, "
        "terms TEXT[] NOT NULL, counts SMALLINT[] NOT NULL, length INTEGER NOT NULL)",
        "CREATE INDEX ix_knowledge_fts_terms ON knowledge_fts USING gin (terms)",
        "CREATE INDEX ix_knowledge_fts_dataset_id ON knowledge_fts (dataset_id)"),
}
