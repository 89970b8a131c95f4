"""Chat assistants and text generators: one prompt, one model call, perhaps knowledge."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sparrow.apps import (
    annotation,
    attachment,
    citations,
    extension,
    failure,
    filebox,
    followup,
    knowledge_use,
    moderation,
    prompt,
    record,
    surroundings,
)
from sparrow.apps import usage as usages
from sparrow.apps.live import Live
from sparrow.apps.order import Turn
from sparrow.engine.ports import Cancel, PortError, RetrievalRequest
from sparrow.engine.prompts import context_pictures, context_text
from sparrow.messages import Message, ModelRef, Usage


def answer(turn: Turn) -> None:
    """Answer a message of a chat or completion app: emit its events, store it, set the live run's result."""
    live = turn.live
    try:
        preset = preset_answer(turn)
        if preset is not None:
            finish(turn, preset, None)
            return
        messages, ref, parameters = _ask(turn)
        text, usage, verdict = _stream(turn, live, ref, messages, parameters)
        if verdict is not None:
            turn.emit("message_replace", answer=verdict, reason="")
            text = verdict
        finish(turn, text, usage, prompt_messages=messages)
    except Exception as error:
        failure.of_message(turn, error)


def preset_answer(turn: Turn, *, whole: bool = False) -> str | None:
    """Return the answer that needs no model: of the moderation, or an annotation; its events are sent.

    Moderation may also change the inputs or the query, and then returns None.
    """
    order, definition = turn.order, turn.definition
    guard = moderation.of(definition.feature("sensitive_word_avoidance"), order.app.id)
    if guard is not None:
        verdict = guard.check_input(turn.inputs, order.query)
        if verdict is not None and verdict.action == "overridden":
            turn.inputs, order.query = verdict.inputs or turn.inputs, verdict.query or order.query
        elif verdict is not None:
            turn.refused = True
            _say(turn, verdict.preset, whole)
            return verdict.preset
    match = annotation.match(order.app, order.query, order.source) if order.query else None
    if match is None:
        return None
    turn.annotation = match.shown
    _say(turn, match.answer, whole)
    return match.answer


def retrieve(turn: Turn, cancel: Cancel) -> list[dict[str, Any]] | None:
    """Return the passages that the app's knowledge bases have for the query; None without any base."""
    config = turn.definition.content.get("dataset_configs") or {}
    ids = knowledge_use.of_config(turn.definition.content)
    if not ids:
        return None
    query = turn.query
    variable = turn.definition.content.get("dataset_query_variable")
    if turn.definition.mode == "completion":
        query = str(turn.inputs.get(variable) or "") if variable else query
    knowledge = surroundings.knowledge(turn.order.base_url)
    if not query or knowledge is None:
        return []
    settings = {**config, "reranking_enable": config.get("reranking_enable", config.get("reranking_enabled", False))}
    if not config.get("score_threshold_enabled"):
        settings["score_threshold"] = None
    request = RetrievalRequest(
        query, ids, config=settings, filter_mode=config.get("metadata_filtering_mode") or "disabled",
        filter_conditions=config.get("metadata_filtering_conditions"),
        filter_model=config.get("metadata_model_config"), user=turn.order.user.session_id)
    try:
        passages = cancel.outrun(lambda: knowledge.retrieve(request, cancel))
    except PortError:
        if cancel.cancelled:
            return []
        raise
    turn.missed(request.away)
    if (turn.definition.content.get("retriever_resource") or {}).get("enabled", True):
        turn.resources = citations.of(passages)
    return passages


def text_of(passages: list[dict[str, Any]]) -> str:
    """Return passages as a model reads them."""
    return context_text(passages)[0]


def model(turn: Turn) -> tuple[ModelRef, dict[str, Any]]:
    """Return the model an app names (or the admin's default) and its parameters."""
    named = turn.definition.content.get("model") or {}
    parameters = dict(named.get("completion_params") or {})
    if named.get("name"):
        mode = "completion" if named.get("mode") == "completion" else "chat"
        return ModelRef(named.get("provider") or "", named["name"], mode), parameters
    default = surroundings.hub().default("llm")
    return default or ModelRef(named.get("provider") or "", ""), parameters


def finish(turn: Turn, text: str, usage: Usage | None, *, prompt_messages: list[Message] | None = None,
           **details: Any) -> None:
    """Store the answer, then tell that it is complete."""
    seen = usages.shown(usage)
    status = "stopped" if turn.live.stopped.is_set() else "normal"
    record.save(turn, answer=text, status=status, usage=seen, prompt=plain(prompt_messages), **details)
    metadata = turn.metadata(seen)
    turn.emit("message_end", id=turn.message_id, metadata=metadata, files=None)
    reply = {"event": "message", "task_id": turn.live.task_id, "id": turn.message_id, "message_id": turn.message_id}
    if turn.conversation_id:
        reply["conversation_id"] = turn.conversation_id
    turn.live.result = {**reply, "mode": turn.definition.mode, "answer": text, "metadata": metadata,
                        "created_at": int(turn.started)}
    followup.after(turn)


def plain(messages: list[Message] | None) -> list[dict[str, Any]] | None:
    """Return a prompt as the log keeps it: the data of pictures left out."""
    if messages is None:
        return None
    found = []
    for message in messages:
        entry: dict[str, Any] = {"role": message.role, "text": message.text()}
        if not isinstance(message.content, str):
            entry["files"] = [{"type": part.type, "name": part.filename} for part in message.content
                              if part.type != "text"]
        found.append(entry)
    return found


def _ask(turn: Turn) -> tuple[list[Message], ModelRef, dict[str, Any]]:
    ref, parameters = model(turn)
    info = surroundings.hub().info(ref)
    cancel = Cancel()
    turn.live.when_stopped(cancel.cancel)
    config = turn.definition.content
    turn.inputs = extension.external_data(turn.order.app.id, config.get("external_data_tools"), turn.inputs, turn.query)
    read = filebox.FileBox(turn.order.app.id, turn.order.user).address
    detail = ((turn.definition.content.get("file_upload") or {}).get("image") or {}).get("detail") or "high"
    earlier = earlier_turns(turn, info, read)
    passages = retrieve(turn, cancel)
    files = prompt.parts(turn.files, info, read, detail)
    if passages and attachment.takes(turn.definition, "image"):
        files += context_pictures(passages, info, read, detail)
    return prompt.build(
        config, mode=turn.definition.mode, inputs=turn.inputs, query=turn.query,
        context=None if passages is None else text_of(passages), history=earlier, files=files, info=info
    ), ref, parameters


def earlier_turns(turn: Turn, info, read) -> list[Message]:
    """Return the conversation so far as messages."""
    if turn.conversation is None:
        return []
    from sparrow.apps import conversation
    from sparrow.engine.files import File

    def parts_of(files: list[dict[str, Any]]):
        return prompt.parts([File.from_dict(file) for file in files], info, read) if files else []

    return prompt.history(conversation.turns(turn.conversation.id, prompt.MAX_TURNS, turn.message_id), parts_of)


def _stream(turn: Turn, live: Live, ref: ModelRef, messages: list[Message],
            parameters: dict[str, Any]) -> tuple[str, Usage | None, str | None]:
    stop = parameters.pop("stop", None)
    guard = moderation.of(turn.definition.feature("sensitive_word_avoidance"), turn.order.app.id)
    watch = moderation.Watch(guard)
    reply = surroundings.hub().chat(ref, messages, parameters=parameters, stop=stop or None,
                                    user=turn.order.user.session_id)
    live.when_stopped(reply.close)
    pieces: list[str] = []
    usage, size = None, 0
    try:
        for chunk in reply:
            if live.stopped.is_set():
                break
            if chunk.usage is not None:
                usage = chunk.usage
            if chunk.text or chunk.usage is not None or chunk.finish_reason:
                pieces.append(chunk.text)
                size += len(chunk.text)
                turn.emit("message", id=turn.message_id, answer=chunk.text, from_variable_selector=None)
            if guard is not None and chunk.text:
                verdict = watch.look("".join(pieces))
                if verdict is not None:
                    return "", usage, replacement(verdict)
    except Exception:
        if not live.stopped.is_set():
            raise
    finally:
        with suppress(Exception):
            reply.close()
    text = "".join(pieces)
    verdict = watch.look(text, final=True)
    return text, usage, replacement(verdict) if verdict is not None else None


def replacement(verdict: moderation.Verdict) -> str:
    """Return the text that takes the place of an answer."""
    return verdict.text if verdict.action == "overridden" and verdict.text is not None else verdict.preset


def _say(turn: Turn, text: str, whole: bool) -> None:
    """Send an answer that is there already: character by character, as Dify does in basic apps, or whole."""
    event = "agent_message" if turn.definition.mode == "agent-chat" else "message"
    for piece in [text] if whole else text:
        fields = {} if event == "agent_message" else {"from_variable_selector": None}
        turn.emit(event, id=turn.message_id, answer=piece, **fields)
