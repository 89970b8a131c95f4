"""From a node's prompt settings to the messages a model gets."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from sparrow.engine import jinja, template, values
from sparrow.engine.context import Context
from sparrow.engine.files import File
from sparrow.engine.nodes.base import NodeError
from sparrow.engine.ports import PortError, Turn
from sparrow.messages import Message, ModelInfo, ModelRef, Part

_FEATURE = {"image": "vision", "document": "document", "audio": "audio", "video": "video"}
_HISTORY = 500
_LONGEST_PARAMETER = 1024
# Rough size of text in tokens: enough to keep a conversation within a model's window, cheap for every request.
_CHARS_PER_TOKEN = 3
_RESERVE = 1024
_BYTES = "application/octet-stream"
_PICTURES = 5  # of passages, in one prompt
_PICTURE_TOKENS = 800
_SEEN = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp"))  # what all models take
_SPECIAL = re.compile(r"\{\{#(context|histories)#\}\}")


def model_of(config: Any) -> ModelRef:
    """Return the model a node's `model` settings name; ValueError without one."""
    if not isinstance(config, dict) or not config.get("name"):
        raise ValueError("no model selected")
    return ModelRef(str(config.get("provider") or ""), str(config["name"]),
                    "completion" if config.get("mode") == "completion" else "chat")


def parameters_of(config: dict[str, Any], context: Context) -> tuple[dict[str, Any], list[str] | None]:
    """Return a model's call parameters, references in texts filled, and its stop words."""
    parameters = {name: _filled(value, context) for name, value in (config.get("completion_params") or {}).items()}
    stop = parameters.pop("stop", None)
    return parameters, list(stop) if stop else None


def _filled(value: Any, context: Context) -> Any:
    """Fill a call parameter that is a template; what reads as a number or a boolean becomes one."""
    if not isinstance(value, str) or not template.selectors(value):
        return value
    text = template.render(value, context.pool)[:_LONGEST_PARAMETER]
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, int | float) else text


def fill(source: str, context: Context, special: dict[str, str] | None = None) -> str:
    """Fill a prompt; a reference without value fails the node, as in Dify.

    `special` are the texts of `{{#context#}}` and `{{#histories#}}`. What they hold is never read as a template:
    passages and users may write `{{#env.key#}}`.
    """
    out: list[str] = []
    for part in template.parse(source):
        if isinstance(part, str):
            out.append(_SPECIAL.sub(lambda found: special.get(found[1], found[0]), part) if special else part)
            continue
        value = context.pool.get(part)
        if value is values.MISSING:
            raise NodeError(f"Variable #{'.'.join(part)}# not found", "VariableNotFoundError")
        out.append(values.text(value))
    return "".join(out)


def context_text(value: Any) -> tuple[str, list[dict[str, Any]]]:
    """Return the text of a context variable and the passages to cite."""
    if value is values.MISSING or value is None:
        return "", []
    if isinstance(value, str):
        return value, []
    if not isinstance(value, list):
        return "", []
    lines: list[str] = []
    cited: list[dict[str, Any]] = []
    for item in value:
        if isinstance(item, str):
            lines.append(item)
        elif isinstance(item, dict):
            if "content" not in item:
                raise NodeError(f"Invalid context structure: {item}", "InvalidContextStructureError")
            lines.append(str((item.get("summary") and f"{item['summary']}\n{item['content']}") or item["content"]))
            metadata = item.get("metadata")
            if isinstance(metadata, dict) and metadata.get("_source") == "knowledge":
                cited.append(citation(item, len(cited) + 1))
        else:
            raise NodeError(f"Invalid context structure: {item}", "InvalidContextStructureError")
    return "\n".join(lines).strip(), cited


def context_pictures(passages: Any, info: ModelInfo, read: Callable[[File], str], detail: str | None) -> list[Part]:
    """Return the pictures that knowledge passages have, the best passage's first, as parts for a model that can see.

    `read` gives a file's data URL. There are at most `_PICTURES`, and no more than half a model's context holds.
    """
    if "vision" not in info.features or not isinstance(passages, list):
        return []
    found: dict[str, Part] = {}
    for item in passages:
        if not isinstance(item, dict) or (item.get("metadata") or {}).get("_source") != "knowledge":
            continue
        for entry in item.get("files") or ():
            if len(found) >= min(_PICTURES, info.context_size // 2 // _PICTURE_TOKENS):
                return list(found.values())
            name, mime = str(entry.get("id")), entry.get("mime_type")
            if name in found or mime not in _SEEN:
                continue
            file = File("image", "local_file", filename=entry.get("name"), mime_type=mime, related_id=name)
            with suppress(PortError):  # it was deleted since the passage was found
                found[name] = Part("image", read(file), detail, file.filename, mime)
    return list(found.values())


def citation(passage: dict[str, Any], position: int) -> dict[str, Any]:
    """Return a passage as `retriever_resources` shows it; page, heading and the like go along."""
    metadata = passage.get("metadata") or {}
    known = {
        "position": metadata.get("position") or position,
        "dataset_id": metadata.get("dataset_id"),
        "dataset_name": metadata.get("dataset_name"),
        "document_id": metadata.get("document_id"),
        "document_name": metadata.get("document_name"),
        "data_source_type": metadata.get("data_source_type"),
        "segment_id": metadata.get("segment_id"),
        "retriever_from": metadata.get("retriever_from"),
        "score": metadata.get("score"),
        "hit_count": metadata.get("segment_hit_count"),
        "word_count": metadata.get("segment_word_count"),
        "segment_position": metadata.get("segment_position"),
        "index_node_hash": metadata.get("segment_index_node_hash"),
        "content": passage.get("content"),
        "page": metadata.get("page"),
        "doc_metadata": metadata.get("doc_metadata"),
        "title": passage.get("title"),
        "files": passage.get("files"),
        "summary": passage.get("summary"),
    }
    return known | {key: metadata[key] for key in ("heading", "place_kind", "place") if key in metadata}


def history(context: Context, memory: dict[str, Any] | None) -> Sequence[Turn]:
    """Return the earlier turns a node's memory settings let in; a window of N keeps N-1 of them."""
    if not memory or context.ports.memory is None:
        return ()
    window = memory.get("window") or {}
    if window.get("enabled") and window.get("size") is not None:
        limit = max(int(window["size"]) - 1, 0)
        return context.ports.memory.turns(limit) if limit else ()
    return context.ports.memory.turns(_HISTORY)


def part_of(file: File, context: Context, detail: str | None) -> Part:
    """Return a file as a part of a message, its content inline."""
    kind = file.type if file.type in _FEATURE else "document"
    return Part(kind, data_url(file, context), detail if kind == "image" else None, file.filename,
                file.mime_type or _BYTES)


def data_url(file: File, context: Context) -> str:
    """Return a file's content as a data URL; raise PortError where it is gone."""
    content = context.need("files").read(file)
    return f"data:{file.mime_type or _BYTES};base64,{base64.b64encode(content).decode()}"


def parts_of(files: Sequence[File], info: ModelInfo, context: Context, detail: str | None) -> list[Part]:
    """Return those files that the model can take."""
    return [part_of(file, context, detail) for file in files
            if _FEATURE.get(file.type, "document") in info.features]


def vision_files(settings: Any, context: Context) -> list[File]:
    """Return the files a node's vision settings choose."""
    if not isinstance(settings, dict) or not settings.get("enabled"):
        return []
    selector = (settings.get("configs") or {}).get("variable_selector") or ["sys", "files"]
    value = context.pool.get(selector)
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, File)]


def detail_of(settings: Any) -> str:
    """Return how closely the model is to look at pictures, by a node's vision settings."""
    return (settings.get("configs") or {}).get("detail") or "high" if isinstance(settings, dict) else "high"


def turns_as_messages(turns: Sequence[Turn], info: ModelInfo, context: Context, detail: str | None) -> list[Message]:
    """Return earlier turns as messages, each with its files."""
    messages: list[Message] = []
    for turn in turns:
        parts = parts_of(turn.files, info, context, detail) if turn.files else []
        content: Any = [*parts, Part("text", turn.query)] if parts else turn.query
        messages.append(Message("user", content))
        messages.append(Message("assistant", turn.answer))
    return messages


def chat_messages(data: dict[str, Any], context: Context, info: ModelInfo, context_value: str,
                  files: Sequence[File], detail: str | None, pictures: Sequence[Part] = ()) -> list[Message]:
    """Return the messages of a chat model's node: prompt, history, the query, with files and pictures on the last."""
    prompt = data.get("prompt_template")
    messages: list[Message] = []
    for item in prompt if isinstance(prompt, list) else [prompt] if prompt else []:
        role = str(item.get("role") or "user")
        messages.append(Message(role, _one(item, data, context, {"context": context_value})))
        if item.get("edition_type") != "jinja2":
            messages += _files_in(str(item.get("text") or ""), role, info, context, detail)
    memory = data.get("memory")
    tail: list[Message] = []
    if memory:
        query = memory.get("query_prompt_template")
        if not query:
            query = "{{#sys.query#}}" if context.pool.variable("sys", "query") is not values.MISSING else ""
        if query:
            tail = [Message("user", fill(query, context, {"context": context_value})),
                    *_files_in(query, "user", info, context, detail)]
        earlier = turns_as_messages(history(context, memory), info, context, detail)
        messages += fitting(earlier, messages + tail, info, parameters_of(data.get("model") or {}, context)[0])
    messages += tail
    parts = [*parts_of(files, info, context, detail), *pictures]
    if parts:
        if messages and messages[-1].role == "user":
            last = messages[-1].content
            messages[-1].content = [*parts, Part("text", last)] if isinstance(last, str) else [*parts, *last]
        else:
            messages.append(Message("user", list(parts)))
    return [message for message in messages if message.content]


def _files_in(source: str, role: str, info: ModelInfo, context: Context, detail: str | None) -> list[Message]:
    """Return the files that a prompt refers to as a message of their own, after that of its text."""
    found: list[File] = []
    for selector in template.selectors(source):
        value = context.pool.get(selector)
        found += [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, File)]
    parts = parts_of([file for file in found if file.type in _FEATURE], info, context, detail)
    return [Message(role, list(parts))] if parts else []


def fitting(history: list[Message], rest: Sequence[Message], info: ModelInfo,
            parameters: dict[str, Any]) -> list[Message]:
    """Return as many of the last turns (pairs of messages) as the model's context has room for beside the rest."""
    answer = parameters.get("max_tokens")
    room = info.context_size - (answer if isinstance(answer, int) and answer > 0 else _RESERVE)
    room -= sum(_size(message) for message in rest)
    kept = 0
    for pair in range(len(history) - 2, -1, -2):
        room -= _size(history[pair]) + _size(history[pair + 1])
        if room < 0:
            break
        kept += 2
    return history[len(history) - kept:]


def _size(message: Message) -> int:
    pictures = 0 if isinstance(message.content, str) else sum(part.type != "text" for part in message.content)
    text = message.text()
    wide = sum(1 for character in text if character > "\u2e80") if not text.isascii() else 0
    return wide + (len(text) - wide) // _CHARS_PER_TOKEN + 4 + _PICTURE_TOKENS * pictures


def _one(item: dict[str, Any], data: dict[str, Any], context: Context, special: dict[str, str]) -> str:
    if item.get("edition_type") == "jinja2":
        variables: dict[str, Any] = {f"__{name}__": text for name, text in special.items()}
        for entry in (data.get("prompt_config") or {}).get("jinja2_variables") or ():
            name, value = str(entry.get("variable") or ""), context.pool.get(entry.get("value_selector") or ())
            if value is values.MISSING:
                raise NodeError(f"Variable {name} not found", "VariableNotFoundError")
            variables[name] = value
        source = _SPECIAL.sub(r"{{__\1__}}", str(item.get("jinja2_text") or ""))
        try:
            return jinja.render(source, variables)
        except jinja.TemplateError as error:
            raise NodeError(str(error), error.error_type) from None
    return fill(str(item.get("text") or ""), context, special)


def completion_message(data: dict[str, Any], context: Context, info: ModelInfo,
                       context_value: str) -> list[Message]:
    """Return the one message of a completion model's node, with the history written out in it, else before it."""
    prompt = data.get("prompt_template")
    item = prompt[0] if isinstance(prompt, list) and prompt else prompt or {}
    memory = data.get("memory") or {}
    prefix = memory.get("role_prefix") or {}
    user, assistant = prefix.get("user") or "Human", prefix.get("assistant") or "Assistant"
    earlier = fitting(turns_as_messages(history(context, memory), info, context, None), (), info,
                      parameters_of(data.get("model") or {}, context)[0])
    told = "\n".join(f"{user if message.role == 'user' else assistant}: {message.text()}" for message in earlier)
    source = str(item.get("jinja2_text" if item.get("edition_type") == "jinja2" else "text") or "")
    text = _one(item, data, context, {"context": context_value, "histories": told})
    if told and "{{#histories#}}" not in source:
        text = f"{told}\n{text}"
    query = context.pool.variable("sys", "query")
    if memory and isinstance(query, str) and "{{#sys.query#}}" not in source:
        text = f"{text}\n{user}: {query}\n{assistant}: " if text else query
    return [Message("user", text)] if text else []


def shown(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return messages as the trace shows them: texts, and the ends of images."""
    out = []
    for message in messages:
        files = []
        if not isinstance(message.content, str):
            for part in message.content:
                if part.type == "image":
                    data = part.data if len(part.data) <= 30 else f"{part.data[:10]}...[TRUNCATED]...{part.data[-10:]}"
                    files.append({"type": "image", "data": data, "detail": part.detail})
        entry: dict[str, Any] = {"role": message.role, "text": message.text(), "files": files}
        if message.tool_calls:
            entry["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in message.tool_calls
            ]
        out.append(entry)
    return out
