"""What a run needs from outside, as small protocols. The engine calls these and nothing else.

Whoever starts a run (apps) hands in a `Ports`. A port that is None makes the nodes that need it fail with a
clear text. Methods are called from several threads at once. A port fails by raising `PortError` (or, for
models, `messages.ModelError`); any other exception also fails the node, with its text and class name.

Stopping: blocking calls get the run's `Cancel`; they register something that ends their waiting
(`cancel.on_cancel(sock.close)`) or poll `cancel.cancelled`. An iterator returned by `ChatModel.chat` may
have a method `abort()` that is safe from another thread; the engine calls it when the run is stopped.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from sparrow.engine.files import File
from sparrow.messages import ChatModel, Message, ToolSpec

T = TypeVar("T")


class PortError(Exception):
    """A port could not do what a node asked. `error_type` is the class name shown to clients (Dify's)."""

    def __init__(self, message: str, error_type: str | None = None):
        super().__init__(message)
        if error_type is not None:
            self.error_type = error_type

    error_type = "PortError"


class Cancel:
    """The run's stop button: set once, from any thread; wakes everybody who waits."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: dict[int, Callable[[], object]] = {}
        self.reason = "Stopped by user."

    @property
    def cancelled(self) -> bool:
        """Tell whether the button has been pressed."""
        return self._event.is_set()

    def cancel(self, reason: str | None = None) -> None:
        """Stop the run; `reason` becomes its error text. Later calls do nothing."""
        with self._lock:
            if self._event.is_set():
                return
            if reason:
                self.reason = reason
            self._event.set()
            callbacks, self._callbacks = list(self._callbacks.values()), {}
        for callback in callbacks:
            with contextlib.suppress(Exception):
                callback()

    def wait(self, seconds: float) -> bool:
        """Sleep, or less if the run is stopped; return whether it was."""
        return self._event.wait(seconds)

    def on_cancel(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call `callback` when stopped (at once if it already is); return a function that forgets it."""
        key = id(callback)
        with self._lock:
            if not self._event.is_set():
                self._callbacks[key] = callback
                return lambda: self._callbacks.pop(key, None) and None
        with contextlib.suppress(Exception):
            callback()
        return lambda: None

    def outrun(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise PortError when the run is stopped before: for work that knows no stop
        button itself, which is left to end in a thread of its own."""
        done = threading.Event()
        found: list[tuple[Any, BaseException | None]] = []

        def run() -> None:
            try:
                found.append((work(), None))
            except BaseException as error:
                found.append((None, error))
            done.set()

        forget = self.on_cancel(done.set)
        try:
            threading.Thread(target=run, name="outrun", daemon=True).start()
            done.wait()
        finally:
            forget()
        if not found:
            raise PortError("stopped", "Stopped")
        value, error = found[0]
        if error is not None:
            raise error
        return value

    def child(self) -> tuple[Cancel, Callable[[], None]]:
        """Return a button that this one presses too, and a function that takes them apart."""
        inner = Cancel()
        return inner, self.on_cancel(lambda: inner.cancel(self.reason))


@dataclass(slots=True, frozen=True)
class CodeLimits:
    """Bounds of one code call: seconds of wall time, bytes of memory and of the JSON result."""

    seconds: float = 15.0
    memory: int = 256 << 20
    output: int = 8 << 20


class CodeRunner(Protocol):
    """Runs the user's code in the sandbox."""

    def run(self, language: Literal["python3", "javascript"], code: str, inputs: dict[str, Any],
            limits: CodeLimits, cancel: Cancel) -> Any:
        """Call the code's `main` with `inputs` (keywords; one object in JavaScript), return its JSON result.

        Raise PortError("…traceback…", "CodeExecutionError") when it fails, with the real exception on the
        last line but one and `error: exit status N` on the last, as Dify has it.
        """


@dataclass(slots=True)
class HttpPart:
    """One field of a multipart form; a file has `filename` and `content`."""

    name: str
    value: str = ""
    filename: str | None = None
    content: bytes | None = None
    mime_type: str | None = None


@dataclass(slots=True)
class HttpRequest:
    """A request as a node made it. Exactly one of `body`, `form`, `parts` is used, or none.

    `params` are added to the URL in order, duplicates kept. Times in seconds. `max_text`/`max_binary` bound the
    reply in bytes. A redirect to another host is followed without Authorization, cookies and `secret_headers`.
    """

    method: str
    url: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    params: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | None = None
    form: list[tuple[str, str]] | None = None
    parts: list[HttpPart] | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 600.0
    write_timeout: float = 600.0
    verify: bool = True
    follow_redirects: bool = True
    max_text: int = 1 << 20
    max_binary: int = 10 << 20
    secret_headers: tuple[str, ...] = ()


@dataclass(slots=True)
class HttpResponse:
    """A reply. Header names are lower case; `content` is decoded (gzip…)."""

    status: int
    headers: dict[str, str]
    content: bytes
    url: str = ""


class HttpClient(Protocol):
    """Speaks HTTP to the outside, behind the allow/deny list."""

    def request(self, request: HttpRequest, cancel: Cancel) -> HttpResponse:
        """Send it; raise PortError when refused by the list, unreachable, too slow or too large.

        The text is that of the cause (`[Errno 111] Connection refused`, `timed out`); error_type
        `HttpRequestNodeError`, or `HttpResponseSizeError` when too large.
        """


class Files(Protocol):
    """Bytes of files, new files, text of documents."""

    def read(self, file: File) -> bytes:
        """Return the content (a remote one is fetched behind the allow/deny list)."""

    def save(self, content: bytes, filename: str | None, mime_type: str | None) -> File:
        """Keep bytes a node made as a `tool_file`; return it with its URL."""

    def extract(self, file: File, content: bytes) -> str:
        """Return the text of a document as Markdown-ish plain text (pdf, docx, pptx, epub, odt, eml, xls…).

        The engine itself reads plain text, Markdown, HTML, JSON, YAML, CSV and xlsx. Raise
        PortError("Unsupported Extension Type: .x", "UnsupportedFileTypeError").
        """

    def from_input(self, value: dict[str, Any]) -> File:
        """Make a file of a client's mapping `{type, transfer_method, url | upload_file_id}`."""


@dataclass(slots=True)
class RetrievalRequest:
    """A knowledge-retrieval node's question. `config` is the node's `multiple_retrieval_config` (top_k,
    score_threshold, reranking…); filter conditions have their templates already rendered. `away` is for the answer: the
    bases that could not be asked, {dataset_id, dataset_name, error}, or only by their words (`by_words`)."""

    query: str
    dataset_ids: list[str]
    mode: Literal["single", "multiple"] = "multiple"
    config: dict[str, Any] = field(default_factory=dict)
    single_model: dict[str, Any] | None = None
    filter_mode: Literal["disabled", "automatic", "manual"] = "disabled"
    filter_conditions: dict[str, Any] | None = None
    filter_model: dict[str, Any] | None = None
    attachments: list[File] = field(default_factory=list)
    user: str | None = None
    away: list[dict[str, Any]] = field(default_factory=list)


class Knowledge(Protocol):
    """Searches the knowledge bases."""

    def retrieve(self, request: RetrievalRequest, cancel: Cancel) -> list[dict[str, Any]]:
        """Return passages, best first: dicts `{content, title, metadata{_source: "knowledge", dataset_id,
        dataset_name, document_id, document_name, data_source_type, segment_id, score, position,
        retriever_from, segment_hit_count, segment_word_count, segment_position, segment_index_node_hash,
        doc_metadata}, files, summary}`; extra metadata (page, heading) is kept for citations."""


@dataclass(slots=True)
class ToolMessage:
    """A piece of a tool's result.

    type text: `value` str (several are concatenated, each is streamed); json: any JSON; file: File;
    link: URL str; image: URL str; variable: `name`, `value`, `stream`; log: an AgentLogEntry dict. `hidden` tells an
    agent that another message of the result says the same.
    """

    type: Literal["text", "json", "file", "link", "image", "variable", "log"]
    value: Any
    name: str = ""
    stream: bool = False
    hidden: bool = False


@dataclass(slots=True, frozen=True)
class ToolRef:
    """Names a tool the way DSL files do."""

    provider_type: str
    provider_id: str
    tool_name: str
    provider_name: str = ""
    credential_id: str | None = None


@dataclass(slots=True)
class ToolInfo:
    """A tool as agents see it: its function, its parameters' forms and labels.

    `parameters[name]` = {type, form: "llm"|"form", required, default, …}.
    """

    spec: ToolSpec
    label: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)


class Tools(Protocol):
    """Finds and runs tools: built-in, OpenAPI, MCP, workflows as tools, knowledge bases as tools."""

    def describe(self, ref: ToolRef) -> ToolInfo:
        """Return what a tool is; raise PortError if there is none."""

    def invoke(self, ref: ToolRef, arguments: dict[str, Any], settings: dict[str, Any], cancel: Cancel,
               *, user: str | None = None, depth: int = 0) -> Iterator[ToolMessage]:
        """Run it, yielding its messages. `depth` counts workflows within workflows (refuse above 5)."""


@dataclass(slots=True)
class Turn:
    """One earlier question and its answer, with the question's files."""

    query: str
    answer: str
    files: list[File] = field(default_factory=list)


class Memory(Protocol):
    """The conversation so far, without the message that is being answered."""

    def turns(self, limit: int | None) -> Sequence[Turn]:
        """Return the last `limit` finished turns (all that make sense if None), oldest first."""


class Conversation(Protocol):
    """Keeps conversation variables. (Their present values enter a run as `run(conversation=…)`.)"""

    def save(self, name: str, value: Any) -> None:
        """Store a variable's new value (JSON; files as dictionaries)."""


@dataclass(slots=True)
class FormRequest:
    """A form a human-input node wants filled. `expires_at` is Unix time; `content` still has its
    `{{#$output.name#}}` slots."""

    node_id: str
    node_title: str
    content: str
    inputs: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    resolved_default_values: dict[str, Any]
    expires_at: float
    delivery_methods: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Form:
    """A form that exists now. `token` is None if only e-mail delivers it."""

    id: str
    token: str | None
    display_in_ui: bool = True


@dataclass(slots=True)
class FormResult:
    """How a form ended: submitted with an action and values, or timed out."""

    status: Literal["submitted", "timeout"]
    action_id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)


class Forms(Protocol):
    """Creates the forms of human-input nodes and sends them out."""

    def create(self, request: FormRequest) -> Form:
        """Store a waiting form and deliver it."""


@dataclass(slots=True)
class Ports:
    """Everything a run may use; what is None is not available in this run."""

    models: ChatModel | None = None
    code: CodeRunner | None = None
    http: HttpClient | None = None
    files: Files | None = None
    knowledge: Knowledge | None = None
    tools: Tools | None = None
    memory: Memory | None = None
    conversation: Conversation | None = None
    forms: Forms | None = None


__all__ = [
    "Cancel", "ChatModel", "CodeLimits", "CodeRunner", "Conversation", "File", "Files", "Form", "FormRequest",
    "FormResult", "Forms", "HttpClient", "HttpPart", "HttpRequest", "HttpResponse", "Knowledge", "Memory",
    "Message", "PortError", "Ports", "RetrievalRequest", "ToolInfo", "ToolMessage", "ToolRef", "ToolSpec",
    "Tools", "Turn",
]
