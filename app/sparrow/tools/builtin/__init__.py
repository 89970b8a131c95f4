"""The built-in tools, under Dify's provider and tool names where it has them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sparrow.tools.types import Parameter, Tool


@dataclass(frozen=True, slots=True)
class Provider:
    """A family of built-in tools. `credentials` are fields stored once, used where a call does not give them."""

    name: str
    label: dict[str, str]
    description: dict[str, str]
    tools: tuple[Tool, ...]
    credentials: tuple[Parameter, ...] = ()

    def tool(self, name: str) -> Tool | None:
        """Return a tool by name."""
        return next((tool for tool in self.tools if tool.name == name), None)


def label(en: str, zh: str) -> dict[str, str]:
    """Return a text in the languages that Dify's clients look for; where there is no translation it is English."""
    return {"zh_Hans": zh, "en_US": en, "pt_BR": en, "ja_JP": en}


@cache
def providers() -> dict[str, Provider]:
    """Return all families by name, in the order they are shown."""
    from sparrow.tools.builtin import code, database, document, mail, robots, texts, time, web

    return {provider.name: provider for module in (time, texts, code, web, document, database, mail, robots)
            for provider in module.PROVIDERS}


def find(provider: str) -> Provider | None:
    """Return a family by the id of an app file: `time`, `langgenius/time/time`."""
    return providers().get(provider.rpartition("/")[2])
