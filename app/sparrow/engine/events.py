"""What happens in a run, as plain values. Recorder, SSE encoder, debugger and tests read the same stream.

Values in `inputs`, `outputs`, `process_data` are JSON already (files as dictionaries) and must not be
changed by readers: the engine shares them. Times are Unix seconds, durations seconds.

Order: RunStarted, then node, container, text and form events, then one RunFinished or RunPaused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class RunStarted:
    """`inputs` are the start inputs plus `sys.*` as Dify shows them; `reason` initial or resumption."""

    inputs: dict[str, Any]
    reason: str
    at: float


@dataclass(slots=True)
class RunFinished:
    """`status`: succeeded, partial-succeeded, failed, stopped.

    `outputs` are end outputs, or `{answer, files}`; `files` those found in them. `answer` is all text that was
    streamed by answers, which is Dify's blocking reply. `usage` sums all model calls (Usage fields as a dict,
    or None without any). `error_type` is the failed node's.
    """

    status: str
    outputs: dict[str, Any]
    error: str | None
    elapsed: float
    total_tokens: int
    total_steps: int
    exceptions_count: int
    files: list[dict[str, Any]]
    at: float
    answer: str = ""
    usage: dict[str, Any] | None = None
    error_type: str | None = None


@dataclass(slots=True)
class RunPaused:
    """The run waits for people. `state` is JSON text for `run.resume`; store it before telling anybody.

    `reasons` are Dify's `{TYPE: "human_input_required", form_id, form_content, inputs, actions, node_id, …}`.
    """

    paused_nodes: list[str]
    reasons: list[dict[str, Any]]
    outputs: dict[str, Any]
    state: str
    elapsed: float
    total_tokens: int
    total_steps: int
    at: float


@dataclass(slots=True)
class NodeStarted:
    """`id` names this execution. `silent`: record it, but Dify sends no such event (iteration, loop nodes)."""

    id: str
    node_id: str
    node_type: str
    title: str
    at: float
    iteration_id: str | None = None
    iteration_index: int | None = None
    loop_id: str | None = None
    loop_index: int | None = None
    agent_strategy: dict[str, Any] | None = None
    extras: dict[str, Any] = field(default_factory=dict)
    silent: bool = False


@dataclass(slots=True)
class NodeFinished:
    """`status`: succeeded, failed, exception (an error that its strategy handled), stopped.

    `metadata` is Dify's execution_metadata or None. `files` are those among the outputs.
    """

    id: str
    node_id: str
    node_type: str
    title: str
    status: str
    inputs: dict[str, Any] | None
    process_data: dict[str, Any] | None
    outputs: dict[str, Any] | None
    error: str | None
    error_type: str | None
    metadata: dict[str, Any] | None
    started_at: float
    at: float
    elapsed: float
    files: list[dict[str, Any]]
    iteration_id: str | None = None
    iteration_index: int | None = None
    loop_id: str | None = None
    loop_index: int | None = None
    silent: bool = False


@dataclass(slots=True)
class NodeRetry:
    """An attempt failed and another will follow; `retry_index` counts from 1."""

    id: str
    node_id: str
    node_type: str
    title: str
    retry_index: int
    error: str
    error_type: str | None
    inputs: dict[str, Any] | None
    process_data: dict[str, Any] | None
    outputs: dict[str, Any] | None
    metadata: dict[str, Any] | None
    started_at: float
    at: float
    elapsed: float
    iteration_id: str | None = None
    loop_id: str | None = None


@dataclass(slots=True)
class TextChunk:
    """A piece of the answer: `message` in chatflows, `text_chunk` in workflows.

    `selector` is `[answerNodeId, "answer"]` for literal text, else that of the variable.
    """

    text: str
    selector: list[str]


@dataclass(slots=True)
class IterationStarted:
    """An iteration node begins; `id` is its execution, `length` the number of items."""

    id: str
    node_id: str
    node_type: str
    title: str
    length: int
    inputs: dict[str, Any]
    at: float


@dataclass(slots=True)
class IterationNext:
    """Item `index` (from 0) begins."""

    id: str
    node_id: str
    node_type: str
    title: str
    index: int
    at: float


@dataclass(slots=True)
class IterationCompleted:
    """An iteration ended; `metadata` has iteration_duration_map; `error` only where Dify gives one."""

    id: str
    node_id: str
    node_type: str
    title: str
    status: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    error: str | None
    metadata: dict[str, Any]
    total_tokens: int
    steps: int
    started_at: float
    at: float
    elapsed: float


@dataclass(slots=True)
class LoopStarted:
    """A loop node begins; `length` is its `loop_count`."""

    id: str
    node_id: str
    node_type: str
    title: str
    length: int
    inputs: dict[str, Any]
    at: float


@dataclass(slots=True)
class LoopNext:
    """Round `index` begins (from 1; also after the last round of a loop that ends by count)."""

    id: str
    node_id: str
    node_type: str
    title: str
    index: int
    pre_loop_output: Any
    at: float


@dataclass(slots=True)
class LoopCompleted:
    """A loop ended; `metadata` has loop_duration_map, loop_variable_map, completed_reason."""

    id: str
    node_id: str
    node_type: str
    title: str
    status: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    error: str | None
    metadata: dict[str, Any]
    total_tokens: int
    steps: int
    started_at: float
    at: float
    elapsed: float


@dataclass(slots=True)
class AgentLog:
    """One entry of an agent's trace; the same `id` again replaces it (start → success or error)."""

    id: str
    node_execution_id: str
    node_id: str
    label: str
    parent_id: str | None
    status: str
    data: dict[str, Any]
    error: str | None
    metadata: dict[str, Any]


@dataclass(slots=True)
class HumanInputRequired:
    """A form waits for someone."""

    node_id: str
    node_title: str
    form_id: str
    form_token: str | None
    form_content: str
    inputs: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    display_in_ui: bool
    resolved_default_values: dict[str, Any]
    expiration_time: int


@dataclass(slots=True)
class HumanInputFilled:
    """A form was submitted and the run goes on."""

    node_id: str
    node_title: str
    rendered_content: str
    action_id: str
    action_text: str
    submitted_data: dict[str, Any]


@dataclass(slots=True)
class HumanInputTimeout:
    """Nobody filled a form in time."""

    node_id: str
    node_title: str
    expiration_time: int


@dataclass(slots=True)
class VariableUpdated:
    """A conversation variable got a new value (already saved through its port); for recorders, not clients."""

    name: str
    value: Any


@dataclass(slots=True)
class Citations:
    """Passages an LLM node used as its context; they become `metadata.retriever_resources`."""

    node_id: str
    resources: list[dict[str, Any]]


Event = (
    RunStarted | RunFinished | RunPaused | NodeStarted | NodeFinished | NodeRetry | TextChunk
    | IterationStarted | IterationNext | IterationCompleted | LoopStarted | LoopNext | LoopCompleted | AgentLog
    | HumanInputRequired | HumanInputFilled | HumanInputTimeout | VariableUpdated | Citations
)
