"""Workflows and chatflows: a run of the engine, recorded and told to whoever listens."""

from __future__ import annotations

import dataclasses
from typing import Any

from sparrow import clock, ids
from sparrow.apps import basic, citations, failure, followup, live, moderation, ports, record, trail, wire
from sparrow.apps import usage as usages
from sparrow.apps.live import Live
from sparrow.apps.order import Turn
from sparrow.engine import events as ev
from sparrow.engine.ports import Cancel, FormResult
from sparrow.messages import Usage
from sparrow.storage import db

_NODE = (ev.NodeFinished, ev.NodeRetry)


def start(turn: Turn) -> Live:
    """Store that a run begins and work on it in a thread of its own."""
    turn.run_id = turn.live.run_id = ids.new_id()
    _seal(turn)
    live.check_room()
    system = _system(turn)
    with db.write(soon=True) as tx:
        if turn.conversation_id:
            record.begin(turn, tx)
        trail.begin(turn, system, tx)
    return live.start(turn.live, lambda _: _work(turn, system), here=not turn.order.streaming)


def resume(turn: Turn, state: str, forms: dict[str, FormResult], position: int) -> Live:
    """Go on with a paused run; `turn.run_id` is set."""
    turn.live.run_id = turn.run_id
    _seal(turn)
    return live.start(turn.live, lambda _: _resume(turn, state, forms, position))


def _seal(turn: Turn) -> None:
    if turn.conversation_id:
        turn.seal()
    else:
        turn.envelope = {"task_id": turn.live.task_id}


def _system(turn: Turn) -> dict[str, Any]:
    order = turn.order
    who = {"files": turn.files, "user_id": order.user.session_id, "app_id": order.app.id}
    what = {"workflow_id": turn.definition.version_id, "workflow_run_id": turn.run_id}
    if turn.conversation_id:
        count = turn.conversation.message_count if turn.conversation is not None else 0
        return {"query": order.query, "conversation_id": turn.conversation_id, "dialogue_count": count + 1, **who,
                **what}
    return {**who, "timestamp": int(turn.started), **what}


def _work(turn: Turn, system: dict[str, Any]) -> None:
    from sparrow.engine import run as engine

    try:
        if turn.conversation_id:
            preset = basic.preset_answer(turn, whole=True)
            if preset is not None:
                _finish_preset(turn, preset)
                return
            system["query"] = turn.query
        variables = ports.Variables(turn)
        environment, secrets = _environment(turn)
        events = engine.run(
            turn.definition.graph, turn.inputs, ports.of(turn, variables), system=system, mode=turn.definition.mode,
            environment=environment, conversation=variables.values(), conversation_types=variables.types(),
            secrets=secrets, start=turn.order.start, cancel=_cancel(turn), depth=turn.order.depth)
        _follow(turn, events, variables, trail.Trail(turn))
    except Exception as error:
        _broken(turn, error)


def _resume(turn: Turn, state: str, forms: dict[str, FormResult], position: int) -> None:
    from sparrow.engine import run as engine

    try:
        variables = ports.Variables(turn)
        environment, secrets = _environment(turn)
        events = engine.resume(turn.definition.graph, state, ports.of(turn, variables), forms=forms,
                               environment=environment, secrets=secrets, cancel=_cancel(turn))
        _follow(turn, events, variables, trail.Trail(turn, position))
    except Exception as error:
        _broken(turn, error)


def _environment(turn: Turn) -> tuple[dict[str, Any], list[str]]:
    declared = turn.definition.content.get("environment_variables") or []
    return ({variable["name"]: variable["value"] for variable in declared},
            [variable["value"] for variable in declared if variable["value_type"] == "secret" and variable["value"]])


def _cancel(turn: Turn) -> Cancel:
    cancel = Cancel()
    turn.live.when_stopped(cancel.cancel)
    return cancel


def _follow(turn: Turn, events, variables: ports.Variables, kept: trail.Trail) -> None:
    chat = turn.conversation_id is not None
    run = {"workflow_run_id": turn.run_id}
    for event in events:
        kind = type(event)
        if kind in _NODE:
            kept.node(event)
            if event.node_type == "knowledge-retrieval":
                turn.missed((event.process_data or {}).get("away") or [])
        if kind is ev.TextChunk:
            if chat:
                turn.emit("message", id=turn.message_id, answer=event.text, from_variable_selector=event.selector)
            else:
                turn.emit("text_chunk", **run, data={"text": event.text, "from_variable_selector": event.selector})
        elif kind in wire.NAMES:
            if getattr(event, "silent", False):
                continue
            name, translate = wire.NAMES[kind]
            turn.emit(name, **({} if chat and name == "agent_log" else run), data=translate(event))
        elif kind is ev.RunStarted:
            turn.emit("workflow_started", **run, data={
                "id": turn.run_id, "workflow_id": turn.definition.version_id, "inputs": event.inputs,
                "created_at": int(turn.started), "reason": event.reason})
        elif kind is ev.Citations:
            turn.resources = [{**resource, "position": number} for number, resource in enumerate(
                [*turn.resources, *_resources(event.resources)], 1)]
        elif kind is ev.RunPaused:
            _pause(turn, event, variables, kept)
        elif kind is ev.RunFinished:
            _finish(turn, event, variables, kept)


def _resources(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return citations in the clients' form, whether the engine hands on passages or citations."""
    return [item if "segment_id" in item else citations.of([item])[0] for item in found]


def _finish(turn: Turn, event: ev.RunFinished, variables: ports.Variables, kept: trail.Trail) -> None:
    if not turn.conversation_id:
        with db.write() as tx:
            kept.end(tx, event)
        data = _data(turn, event)
        turn.live.result = {"task_id": turn.live.task_id, "workflow_run_id": turn.run_id,
                            "data": {name: value for name, value in data.items()
                                     if name not in ("created_by", "exceptions_count", "files")}}
        turn.emit("workflow_finished", workflow_run_id=turn.run_id, data=data)
        return
    usage = _usage(turn, event)
    done = event.status in ("succeeded", "partial-succeeded")
    answer, verdict = event.answer, None
    if done:
        guard = moderation.of(turn.definition.feature("sensitive_word_avoidance"), turn.order.app.id)
        verdict = guard.check_output(answer) if guard is not None else None
        if verdict is not None:
            answer = basic.replacement(verdict)
    status = "normal" if done else "stopped" if event.status == "stopped" else "error"
    with db.write() as tx:
        kept.end(tx, event)
        variables.write(tx, turn.conversation_id)
        record.end(turn, tx, answer=answer, status=status, error=event.error if status == "error" else None,
                   usage=usage)
    metadata = turn.metadata(usage)
    if done:
        if verdict is not None:
            turn.emit("message_replace", answer=answer, reason="output_moderation")
        turn.emit("message_end", id=turn.message_id, metadata=metadata, files=event.files)
    if event.status == "failed":
        turn.live.error = {"code": "invalid_param", "status": 400, "message": f"Run failed: {event.error}"}
    else:
        turn.live.result = _reply(turn, answer, metadata)
    turn.emit("workflow_finished", workflow_run_id=turn.run_id, data=_data(turn, event))
    if done:
        followup.after(turn)


def _pause(turn: Turn, event: ev.RunPaused, variables: ports.Variables, kept: trail.Trail) -> None:
    with db.write() as tx:
        kept.end(tx, event)
        if turn.conversation_id:
            variables.write(tx, turn.conversation_id)
            record.end(turn, tx, answer="", status="paused")
    data = wire.paused(event, run_id=turn.run_id, created_at=turn.started)
    turn.emit("workflow_paused", workflow_run_id=turn.run_id, data=data)
    if turn.conversation_id:
        turn.live.result = {**_reply(turn, "", {}), "event": "workflow_paused", "workflow_run_id": turn.run_id,
                            "data": data}
    else:
        turn.live.result = {"task_id": turn.live.task_id, "workflow_run_id": turn.run_id, "data": {
            "id": turn.run_id, "workflow_id": turn.definition.version_id, "status": "paused", "outputs": event.outputs,
            "error": None, "elapsed_time": event.elapsed, "total_tokens": event.total_tokens,
            "total_steps": event.total_steps, "created_at": int(turn.started), "finished_at": None,
            "paused_nodes": event.paused_nodes, "reasons": event.reasons}}
    followup.title(turn)  # once the run goes on, the conversation is no longer new
    from sparrow.apps import form

    form.look_again(turn.run_id, [reason["form_id"] for reason in event.reasons if reason.get("form_id")])


def _finish_preset(turn: Turn, text: str) -> None:
    """End a run whose answer needed no node: Dify's stream leaves workflow_finished out."""
    usage = {**usages.shown(None), "time_to_first_token": 0.0, "time_to_generate": 0.0}
    done = ev.RunFinished("succeeded", {"answer": text}, None, clock.now() - turn.started, 0, 0, 0, [], clock.now(),
                          text)
    with db.write() as tx:
        trail.Trail(turn).end(tx, done)
        record.end(turn, tx, answer=text, usage=usage)
    metadata = turn.metadata(usage)
    turn.emit("message_end", id=turn.message_id, metadata=metadata, files=[])
    turn.live.result = _reply(turn, text, metadata)


def _reply(turn: Turn, answer: str, metadata: dict[str, Any]) -> dict[str, Any]:
    return {"event": "message", "task_id": turn.live.task_id, "id": turn.message_id, "message_id": turn.message_id,
            "conversation_id": turn.conversation_id, "mode": turn.definition.mode, "answer": answer,
            "metadata": metadata, "created_at": int(turn.started)}


def _data(turn: Turn, event: ev.RunFinished) -> dict[str, Any]:
    user = turn.order.user
    return wire.finished(event, run_id=turn.run_id, version_id=turn.definition.version_id,
                         created_by={"id": user.id, "user": user.session_id}, created_at=turn.started)


def _usage(turn: Turn, event: ev.RunFinished) -> dict[str, Any]:
    known = {field.name for field in dataclasses.fields(Usage)}
    given = {name: value for name, value in (event.usage or {}).items() if name in known}
    found = usages.shown(Usage(**given) if given else None, latency=event.elapsed)
    found["time_to_first_token"] = round(given.get("time_to_first_token") or 0.0, 3)
    found["time_to_generate"] = round(max(found["latency"] - found["time_to_first_token"], 0.0), 3)
    return found


def _broken(turn: Turn, error: Exception) -> None:
    """The graph cannot run, or something outside of it failed: one `error` event, and the end."""
    found = failure.describe(error)
    trail.fail(turn.run_id, found["message"])
    if turn.conversation_id:
        failure.of_message(turn, error)
        return
    event = {"event": "error", "workflow_run_id": None, **found}
    turn.live.error = event
    turn.live.emit(event)
