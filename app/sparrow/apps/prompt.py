"""The messages that a chat, agent or completion app sends to its model."""

from __future__ import annotations

from typing import Any

from sparrow.apps import opener
from sparrow.engine.files import File
from sparrow.engine.prompts import fitting
from sparrow.messages import Message, ModelInfo, Part

MAX_TURNS = 500

_CONTEXT = """Answer from the material between the context tags; the user does not see it.

<context>
{{#context#}}
</context>

- If the material does not answer the question, say that you do not know, or ask what is meant.
- Do not say that you were given this material.
- Answer in the language of the question.
"""


def build(config: dict[str, Any], *, mode: str, inputs: dict[str, Any], query: str, context: str | None,
          history: list[Message], files: list[Part], info: ModelInfo, instruction: str = "") -> list[Message]:
    """Return the messages for a model; `context` is None if no knowledge base is asked.

    History is cut from its old end so that the prompt fits the model's context window.
    """
    parameters = (config.get("model") or {}).get("completion_params") or {}
    if (config.get("prompt_type") or "simple") == "advanced":
        if info.ref.mode == "completion" or (config.get("model") or {}).get("mode") == "completion":
            return _advanced_text(config, inputs, query, context, fitting(history, (), info, parameters), files)
        head = _advanced(config, inputs, query, context)
    else:
        head = _simple(config, mode, inputs, context)
    if instruction:
        head.insert(0, Message("system", instruction))
    tail = [] if mode == "completion" and not query else [_user(query, files)]
    if not tail and files and head:
        head[-1] = _user(head[-1].text(), files)
    return head + fitting(history, head + tail, info, parameters) + tail


def history(turns: list[Any], parts_of) -> list[Message]:
    """Return earlier turns as messages; `parts_of` gives the parts of a turn's files."""
    found: list[Message] = []
    for turn in turns:
        found += [_user(turn.query, parts_of(turn.files or [])), Message("assistant", turn.answer)]
    return found


def parts(files: list[File], info: ModelInfo, read, detail: str = "high") -> list[Part]:
    """Return files as message parts, those that the model can look at; `read` gives a file's address or data."""
    kinds = {"image": "vision", "document": "document", "audio": "audio", "video": "video"}
    return [Part(file.type, read(file), detail=detail if file.type == "image" else None, filename=file.filename,
                 mime_type=file.mime_type)
            for file in files if file.type in kinds and kinds[file.type] in info.features]


def _simple(config: dict[str, Any], mode: str, inputs: dict[str, Any], context: str | None) -> list[Message]:
    text = opener.fill(config.get("pre_prompt") or "", inputs)
    if text:
        text += "\n"
    if context is not None:
        text = _CONTEXT.replace("{{#context#}}", context) + ("\n" + text if text else "")
    if not text:
        return []
    return [Message("user" if mode == "completion" else "system", text)]


def _advanced(config: dict[str, Any], inputs: dict[str, Any], query: str, context: str | None) -> list[Message]:
    prompt = (config.get("chat_prompt_config") or {}).get("prompt") or []
    found = []
    for item in prompt if isinstance(prompt, list) else []:
        if isinstance(item, dict) and item.get("text"):
            text = _special(opener.fill(str(item["text"]), inputs), query, context, "")
            role = item.get("role") if item.get("role") in ("system", "user", "assistant") else "user"
            found.append(Message(role, text))
    return found


def _advanced_text(config: dict[str, Any], inputs: dict[str, Any], query: str, context: str | None,
                   history: list[Message], files: list[Part]) -> list[Message]:
    settings = config.get("completion_prompt_config") or {}
    roles = settings.get("conversation_histories_role") or {}
    names = {"user": roles.get("user_prefix") or "Human", "assistant": roles.get("assistant_prefix") or "Assistant"}
    earlier = "\n".join(f"{names[message.role]}: {message.text()}" for message in history)
    prompt = settings.get("prompt")
    text = opener.fill(str(prompt.get("text") or "") if isinstance(prompt, dict) else "", inputs)
    return [_user(_special(text, query, context, earlier), files)]


def _special(text: str, query: str, context: str | None, earlier: str) -> str:
    return (text.replace("{{#context#}}", context or "").replace("{{#query#}}", query)
            .replace("{{#histories#}}", earlier))


def _user(text: str, files: list[Part]) -> Message:
    return Message("user", [*files, Part("text", text)] if files else text)
