"""The engine's events as Dify's clients know them: name and `data`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sparrow.engine import events as ev


def node_started(event: ev.NodeStarted) -> dict[str, Any]:
    """Return the data of node_started; Dify sends index 1 and no inputs for every node."""
    return {"id": event.id, "node_id": event.node_id, "node_type": event.node_type, "title": event.title, "index": 1,
            "predecessor_node_id": None, "inputs": None, "inputs_truncated": False, "created_at": int(event.at),
            "extras": event.extras, "iteration_id": event.iteration_id, "loop_id": event.loop_id,
            "agent_strategy": event.agent_strategy}


def node_finished(event: ev.NodeFinished) -> dict[str, Any]:
    """Return the data of node_finished."""
    return {**_node(event), "status": event.status, "error": event.error, "files": event.files}


def node_retry(event: ev.NodeRetry) -> dict[str, Any]:
    """Return the data of node_retry."""
    return {**_node(event), "status": "retry", "error": event.error, "files": [], "retry_index": event.retry_index}


def _node(event: Any) -> dict[str, Any]:
    return {"id": event.id, "node_id": event.node_id, "node_type": event.node_type, "title": event.title, "index": 1,
            "predecessor_node_id": None, "inputs": event.inputs, "inputs_truncated": False,
            "process_data": event.process_data, "process_data_truncated": False, "outputs": event.outputs,
            "outputs_truncated": False, "elapsed_time": event.elapsed, "execution_metadata": event.metadata,
            "created_at": int(event.started_at), "finished_at": int(event.at), "iteration_id": event.iteration_id,
            "loop_id": event.loop_id}


def _container(event: Any, **fields: Any) -> dict[str, Any]:
    # Dify names a container's events by the node, not by its execution.
    return {"id": event.node_id, "node_id": event.node_id, "node_type": event.node_type, "title": event.title,
            "created_at": int(event.at), "extras": {}, **fields}


def _started(length: str) -> Callable[[Any], dict[str, Any]]:
    return lambda event: _container(event, metadata={length: event.length}, inputs=event.inputs,
                                    inputs_truncated=False)


def _completed(event: Any) -> dict[str, Any]:
    return {**_container(event), "created_at": int(event.started_at), "inputs": event.inputs, "inputs_truncated": False,
            "outputs": event.outputs, "outputs_truncated": False, "status": event.status, "error": event.error,
            "elapsed_time": event.elapsed, "total_tokens": event.total_tokens, "execution_metadata": event.metadata,
            "finished_at": int(event.at), "steps": event.steps}


def _required(event: ev.HumanInputRequired) -> dict[str, Any]:
    return {"form_id": event.form_id, "node_id": event.node_id, "node_title": event.node_title,
            "form_content": event.form_content, "inputs": event.inputs, "actions": event.actions,
            "display_in_ui": event.display_in_ui, "form_token": event.form_token,
            "resolved_default_values": event.resolved_default_values, "expiration_time": event.expiration_time}


def _filled(event: ev.HumanInputFilled) -> dict[str, Any]:
    return {"node_id": event.node_id, "node_title": event.node_title, "rendered_content": event.rendered_content,
            "action_id": event.action_id, "action_text": event.action_text, "submitted_data": event.submitted_data}


def _log(event: ev.AgentLog) -> dict[str, Any]:
    return {"node_execution_id": event.node_execution_id, "id": event.id, "label": event.label,
            "parent_id": event.parent_id, "error": event.error, "status": event.status, "data": event.data,
            "metadata": event.metadata, "node_id": event.node_id}


# Events whose translation needs nothing but themselves.
NAMES: dict[type, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    ev.NodeStarted: ("node_started", node_started),
    ev.NodeFinished: ("node_finished", node_finished),
    ev.NodeRetry: ("node_retry", node_retry),
    ev.IterationStarted: ("iteration_started", _started("iteration_length")),
    ev.IterationNext: ("iteration_next", lambda event: _container(event, index=event.index)),
    ev.IterationCompleted: ("iteration_completed", _completed),
    ev.LoopStarted: ("loop_started", _started("loop_length")),
    ev.LoopNext: ("loop_next", lambda event: _container(event, index=event.index,
                                                         pre_loop_output=event.pre_loop_output)),
    ev.LoopCompleted: ("loop_completed", _completed),
    ev.HumanInputRequired: ("human_input_required", _required),
    ev.HumanInputFilled: ("human_input_form_filled", _filled),
    ev.HumanInputTimeout: ("human_input_form_timeout", lambda event: {
        "node_id": event.node_id, "node_title": event.node_title, "expiration_time": event.expiration_time}),
    ev.AgentLog: ("agent_log", _log),
}


def finished(event: ev.RunFinished, *, run_id: str, version_id: str, created_by: dict[str, str],
             created_at: float) -> dict[str, Any]:
    """Return the data of workflow_finished."""
    return {"id": run_id, "workflow_id": version_id, "status": event.status, "outputs": event.outputs,
            "error": event.error, "elapsed_time": event.elapsed, "total_tokens": event.total_tokens,
            "total_steps": event.total_steps, "created_by": created_by, "created_at": int(created_at),
            "finished_at": int(event.at), "exceptions_count": event.exceptions_count, "files": event.files}


def paused(event: ev.RunPaused, *, run_id: str, created_at: float) -> dict[str, Any]:
    """Return the data of workflow_paused."""
    return {"workflow_run_id": run_id, "paused_nodes": event.paused_nodes, "outputs": event.outputs,
            "reasons": event.reasons, "status": "paused", "created_at": int(created_at),
            "elapsed_time": event.elapsed, "total_tokens": event.total_tokens, "total_steps": event.total_steps}
