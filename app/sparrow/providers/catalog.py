"""The presets, Dify's provider ids, and what a model's name gives away."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

import msgspec

from sparrow.providers.types import Label, ModelSpec, ModelType, ParameterRule, Preset


@cache
def presets() -> dict[str, Preset]:
    """Return every preset by its native id, in the order the console shows them."""
    data = resources.files("sparrow.providers").joinpath("presets.json").read_bytes()
    return {preset.id: preset for preset in msgspec.json.decode(data, type=list[Preset])}


@cache
def _names() -> dict[str, str]:
    names: dict[str, str] = {}
    for preset in presets().values():
        for name in (preset.id, preset.plugin_id, *preset.aliases):
            names.setdefault(name, preset.id)
            parts = name.split("/")
            if len(parts) == 3:  # author/plugin/provider: DSL files of some versions carry only a part of it
                names.setdefault("/".join(parts[:2]), preset.id)
                names.setdefault(parts[2], preset.id)
    return names


def native_id(provider: str) -> str | None:
    """Return our id of a provider that a DSL file names (`openai`, `langgenius/openai/openai`), None if unknown."""
    names = _names()
    found = names.get(provider)
    if found is None:
        parts = provider.split("/")
        if len(parts) == 3 and parts[0] == "langgenius":
            found = names.get(parts[2])
    return found


def plugin_id(provider: str) -> str:
    """Return Dify's three-part id for a provider, for exported files; an unknown one comes back as it is."""
    native = native_id(provider)
    return presets()[native].plugin_id if native else provider


def preset_model(provider: str, type_: str, name: str) -> ModelSpec | None:
    """Return the preset's entry for a model of a native provider."""
    preset = presets().get(provider)
    if preset is None:
        return None
    return next((m for m in preset.models if m.model == name and m.type == type_), None)


_TYPES: list[tuple[ModelType, str]] = [
    ("rerank", r"rerank"),
    ("text-embedding", r"embed|^bge-|/bge-|^m3e|^gte-|/gte-|^e5-|/e5-|multilingual-e5|minilm|^text2vec|^use-"),
    ("speech2text", r"whisper|transcribe|sensevoice|paraformer|[-_]asr|telespeech"),
    ("tts", r"\btts\b|[-_]tts|tts[-_]|cosyvoice|fish-speech|kokoro|^speech-"),
    ("moderation", r"moderation"),
]
_VISION = re.compile(
    r"vision|[-_.]vl\b|[-_]vl[-_]|vl\d|4o|gpt-4\.1|gpt-4-turbo|gpt-5|^o[134]\b|^o3|^o4|llava|pixtral|gemini|"
    r"claude|glm-4v|glm-4\.\dv|qvq|internvl|minicpm-v|gemma-?3|llama-?4|omni|kimi-k2\.5|moonshot.*vision")
_NO_TOOLS = re.compile(r"smollm|tinyllama|gemma-?2|phi-?2|deepseek-r1[:-]\d|instruct-v0\.1|base$|completion")
_STRUCTURED = re.compile(r"gpt-4o|gpt-4\.1|gpt-5|^o[134]|gemini-[2-9]|gemini-1\.5|grok|qwen3|qwen-?plus|qwen-?max")
_CONTEXT: list[tuple[str, int]] = [
    (r"gpt-4\.1|gemini", 1_047_576), (r"gpt-5", 400_000), (r"claude|^o[134]", 200_000),
    (r"gpt-3\.5", 16_385), (r"^gpt-4$", 8_192), (r"gpt-4|deepseek|qwen|glm|llama-?3\.[1-9]|mistral", 128_000),
    (r"kimi-k2|256k", 256_000),
]


def guess(name: str) -> ModelSpec:
    """Return what is likely true of a model of which only the name is known."""
    low = name.lower()
    type_: ModelType = next((t for t, pattern in _TYPES if re.search(pattern, low)), "llm")
    if type_ != "llm":
        return ModelSpec(model=name, type=type_, context_size=8192)
    features = []
    if not _NO_TOOLS.search(low):
        features += ["tool-call", "multi-tool-call", "stream-tool-call"]
    if _VISION.search(low):
        features.append("vision")
    if _STRUCTURED.search(low):
        features.append("structured-output")
    match = re.search(r"(\d+)k\b", low)
    context = int(match[1]) * 1000 if match and int(match[1]) >= 4 else next(
        (size for pattern, size in _CONTEXT if re.search(pattern, low)), 32_768)
    return ModelSpec(model=name, features=features, context_size=context)


_RULES = [
    ParameterRule("temperature", "float", Label("Temperature", "温度"), 0, 2, 1),
    ParameterRule("top_p", "float", Label("Top P", "Top P"), 0, 1, 1),
    ParameterRule("max_tokens", "int", Label("Max tokens", "最大标记数"), 1, None, 1024),
    ParameterRule("presence_penalty", "float", Label("Presence penalty", "存在惩罚"), -2, 2, 0),
    ParameterRule("frequency_penalty", "float", Label("Frequency penalty", "频率惩罚"), -2, 2, 0),
    ParameterRule("seed", "int", Label("Seed", "随机种子"), None, None, None),
    ParameterRule("response_format", "string", Label("Response format", "回复格式"),
                  options=["text", "json_object", "json_schema"]),
    ParameterRule("json_schema", "text", Label("JSON schema", "JSON Schema")),
]
_REASONING = re.compile(r"^o[134](-|$)|^gpt-5")


def rules(provider: str, spec: ModelSpec) -> list[ParameterRule]:
    """Return the parameter rules of a chat or completion model, its own ones over the general ones."""
    found = {rule.name: rule for rule in _RULES}
    preset = presets().get(provider)
    if preset and preset.max_tokens_name != "max_tokens":
        found["max_tokens"] = msgspec.structs.replace(found["max_tokens"], rename=preset.max_tokens_name)
    if spec.max_output:
        found["max_tokens"] = msgspec.structs.replace(found["max_tokens"], max=float(spec.max_output))
    if provider in ("openai", "azure_openai") and _REASONING.search(spec.model):
        # OpenAI's reasoning models refuse sampling parameters and want another name for the limit.
        for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
            found[name] = msgspec.structs.replace(found[name], send=False)
        found["max_tokens"] = msgspec.structs.replace(found["max_tokens"], rename="max_completion_tokens")
        found["reasoning_effort"] = ParameterRule(
            "reasoning_effort", "string", Label("Reasoning effort", "推理强度"),
            options=["minimal", "low", "medium", "high"])
    if provider == "anthropic":
        found["temperature"] = msgspec.structs.replace(found["temperature"], max=1)
        for name in ("presence_penalty", "frequency_penalty", "seed", "response_format", "json_schema"):
            found.pop(name)
        found["top_k"] = ParameterRule("top_k", "int", Label("Top K", "Top K"), 0, 500, None)
        found["thinking_budget"] = ParameterRule(
            "thinking_budget", "int", Label("Thinking budget", "思考预算"), 1024, 128_000, None)
    if provider == "gemini":
        found["top_k"] = ParameterRule("top_k", "int", Label("Top K", "Top K"), 1, 64, None)
    if provider == "tongyi":
        found["enable_thinking"] = ParameterRule("enable_thinking", "boolean", Label("Thinking", "思考模式"))
    found |= {rule.name: rule for rule in spec.parameters}
    return list(found.values())
