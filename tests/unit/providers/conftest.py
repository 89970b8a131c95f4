"""The fake provider and a hub that is set up in memory."""

import pytest

from sparrow.messages import Message, ModelRef
from sparrow.providers.hub import Hub
from sparrow.providers.types import Credential, ModelSpec
from tests.fake_llm import FakeLLM


class MemorySource:
    """What the admin has set up, in two dictionaries."""

    def __init__(self):
        self.keys: dict[str, list[Credential]] = {}
        self.models: dict[tuple[str, str, str], ModelSpec] = {}
        self.defaults: dict[str, tuple[str, str]] = {}

    def credentials(self, provider):
        return self.keys.get(provider, [])

    def model(self, provider, type_, name):
        return self.models.get((provider, type_, name))

    def default(self, type_):
        return self.defaults.get(type_)

    def add(self, provider, base_url, key="sk-test-0123456789", name="main", **extra):
        keys = self.keys.setdefault(provider, [])
        keys.append(Credential(f"{provider}-{name}-{len(keys)}", provider, name, base_url, key, extra))

    def spec(self, provider, spec):
        self.models[provider, spec.type, spec.model] = spec


@pytest.fixture
def fake():
    with FakeLLM() as server:
        yield server


@pytest.fixture
def source(fake):
    source = MemorySource()
    source.add("openai", fake.base_url)
    return source


@pytest.fixture
def hub(source):
    hub = Hub(source)
    yield hub
    hub.client.close()


@pytest.fixture
def ask(hub):
    """Ask `fake-llm` and return the chunks; keyword arguments go to `chat`."""

    def ask(text, provider="openai", model="fake-llm", mode="chat", **kwargs):
        messages = text if isinstance(text, list) else [Message("user", text)]
        return list(hub.chat(ModelRef(provider, model, mode), messages, **kwargs))

    return ask
