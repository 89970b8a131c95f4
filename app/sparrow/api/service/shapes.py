"""What the service API answers, as types: the document is made from them, the routes return plain dictionaries."""

from __future__ import annotations

from typing import Any, TypedDict


class Root(TypedDict):
    """What answers here."""

    welcome: str
    api_version: str
    server_version: str


class Info(TypedDict):
    """An app."""

    name: str
    description: str
    tags: list[str]
    mode: str
    author_name: str


class Parameters(TypedDict):
    """The inputs an app takes and the features it has."""

    opening_statement: str | None
    suggested_questions: list[Any]
    suggested_questions_after_answer: dict[str, Any]
    speech_to_text: dict[str, Any]
    text_to_speech: dict[str, Any]
    retriever_resource: dict[str, Any]
    annotation_reply: dict[str, Any]
    more_like_this: dict[str, Any]
    user_input_form: list[dict[str, Any]]
    sensitive_word_avoidance: dict[str, Any]
    file_upload: dict[str, Any]
    system_parameters: dict[str, int]


class Meta(TypedDict):
    """Icons of tools by name."""

    tool_icons: dict[str, Any]


class Site(TypedDict):
    """The look of an app's page."""

    title: str
    chat_color_theme: str | None
    chat_color_theme_inverted: bool
    icon_type: str
    icon: str
    icon_background: str | None
    icon_url: str | None
    description: str | None
    copyright: str | None
    privacy_policy: str | None
    custom_disclaimer: str
    default_language: str
    show_workflow_steps: bool
    use_icon_as_answer_icon: bool


class EndUser(TypedDict):
    """An end user."""

    id: str
    tenant_id: str
    app_id: str
    type: str
    external_user_id: str | None
    name: str | None
    is_anonymous: bool
    session_id: str
    created_at: str
    updated_at: str


class Annotation(TypedDict):
    """A question with a fixed answer."""

    id: str
    question: str
    answer: str
    hit_count: int
    created_at: int


class Annotations(TypedDict):
    """A page of annotations."""

    data: list[Annotation]
    has_more: bool
    limit: int
    total: int
    page: int


class Job(TypedDict):
    """A switch of annotation replies."""

    job_id: str
    job_status: str


class JobStatus(Job):
    """How a switch went."""

    error_msg: str


class Text(TypedDict):
    """What was said in a recording."""

    text: str


class Upload(TypedDict):
    """An uploaded file; `id` is what messages name as upload_file_id."""

    id: str
    name: str
    size: int
    extension: str
    mime_type: str
    created_by: str
    created_at: int
    preview_url: str | None
    source_url: str
    original_url: str | None
    user_id: str | None
    tenant_id: str | None
    conversation_id: str | None
    file_key: str | None


class Reply(TypedDict, total=False):
    """A whole answer; `event` is workflow_paused where a form waits."""

    event: str
    task_id: str
    id: str
    message_id: str
    conversation_id: str
    mode: str
    answer: str
    metadata: dict[str, Any]
    created_at: int
    workflow_run_id: str
    data: dict[str, Any]


class RunReply(TypedDict):
    """A workflow's result. A failed run is status failed with an error, and HTTP 200."""

    task_id: str
    workflow_run_id: str
    data: dict[str, Any]


class Run(TypedDict):
    """A run; `inputs` is JSON text."""

    id: str
    workflow_id: str | None
    status: str
    inputs: str
    outputs: dict[str, Any]
    error: str | None
    total_steps: int
    total_tokens: int
    created_at: int
    finished_at: int | None
    elapsed_time: float | None


class RunEntry(TypedDict):
    """A run in the log."""

    id: str
    workflow_run: dict[str, Any]
    details: Any
    created_from: str
    created_by_role: str
    created_by_account: Any
    created_by_end_user: dict[str, Any] | None
    created_at: int


class RunLog(TypedDict):
    """A page of runs."""

    page: int
    limit: int
    total: int
    has_more: bool
    data: list[RunEntry]


class Variable(TypedDict):
    """A conversation variable; its value is text."""

    id: str
    name: str
    value_type: str
    value: str
    description: str
    created_at: int
    updated_at: int


class Variables(TypedDict):
    """Variables from a cursor on."""

    limit: int
    has_more: bool
    data: list[Variable]


class Message(TypedDict):
    """A question and its answer."""

    id: str
    conversation_id: str | None
    parent_message_id: str
    inputs: dict[str, Any]
    query: str
    answer: str
    status: str
    error: str | None
    message_files: list[dict[str, Any]]
    feedback: dict[str, str] | None
    retriever_resources: list[dict[str, Any]]
    agent_thoughts: list[dict[str, Any]]
    created_at: int
    extra_contents: list[dict[str, Any]]
    message_tokens: int
    answer_tokens: int
    total_tokens: int
    provider_response_latency: float
    total_price: str | None
    currency: str | None


class Messages(TypedDict):
    """Messages before a cursor."""

    limit: int
    has_more: bool
    data: list[Message]


class Questions(TypedDict):
    """What a user may ask next."""

    result: str
    data: list[str]


class Feedback(TypedDict):
    """What a user or the admin thinks of an answer."""

    id: str
    app_id: str
    conversation_id: str | None
    message_id: str
    rating: str
    content: str | None
    from_source: str
    from_end_user_id: str | None
    from_account_id: str | None
    created_at: str
    updated_at: str


class Feedbacks(TypedDict):
    """A page of feedback."""

    data: list[Feedback]


class Form(TypedDict):
    """A form that waits."""

    form_content: str
    inputs: list[dict[str, Any]]
    resolved_default_values: dict[str, Any]
    user_actions: list[dict[str, Any]]
    expiration_time: int | None


class Nothing(TypedDict):
    """An empty object."""


class OpenAIModel(TypedDict):
    """A model as OpenAI's API lists it."""

    id: str
    object: str
    created: int
    owned_by: str


class OpenAIModels(TypedDict):
    """The models a key opens."""

    object: str
    data: list[OpenAIModel]


class ModelsOfType(TypedDict):
    """Models by provider."""

    data: list[dict[str, Any]]
