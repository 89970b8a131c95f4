"""A live server on the loopback with a scripted model, as clients meet it."""

from __future__ import annotations

import threading

import pytest

from tests.fake_llm import FakeLLM


class Live:
    """A served application: its address, the scripted model, and a signed-in console client."""

    def __init__(self, application, fake):
        from werkzeug.serving import make_server

        from tests.conftest import AdminClient

        self.app, self.fake = application, fake
        self.admin = AdminClient(application)
        self.server = make_server("127.0.0.1", 0, application, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def new_app(self, mode: str = "chat", **config) -> tuple[str, str]:
        """Create an app over the console; return its id and a key."""
        reply = self.admin.post("/apps", json={"name": "t", "mode": mode})
        assert reply.status_code == 201, reply.text
        app_id = reply.json["id"]
        if config:
            saved = self.admin.post(f"/apps/{app_id}/model-config", json=config)
            assert saved.status_code == 200, saved.text
        return app_id, self.new_key(app_id)

    def new_key(self, app_id: str) -> str:
        """Return a new key of an app."""
        return self.admin.post(f"/apps/{app_id}/api-keys", json={}).json["token"]


MODEL = {"provider": "langgenius/openai/openai", "name": "fake-llm", "mode": "chat", "completion_params": {}}


@pytest.fixture
def live(app):
    """The server, with the scripted model as provider openai and as default."""
    with FakeLLM() as fake:
        served = Live(app, fake)
        reply = served.admin.post("/model-providers/openai/credentials",
                                  json={"name": "fake", "base_url": fake.base_url, "api_key": "sk-fake-key"})
        assert reply.status_code in (200, 201), reply.text
        served.admin.post("/default-models", json={"llm": {"provider": "openai", "model": "fake-llm"}})
        yield served
        served.server.shutdown()

FLOW = """
app: {mode: %(mode)s, name: flow, icon: x}
kind: app
version: 0.6.0
workflow:
  %(extra)s
  features: %(features)s
  graph:
    nodes:
    - {id: s, data: {type: start, title: S, variables: [%(variables)s]}}
    - id: m
      data:
        type: llm
        title: M
        model: {provider: langgenius/openai/openai, name: fake-llm, mode: chat, completion_params: {}}
        prompt_template: [{role: user, text: "%(prompt)s"}]
        context: {enabled: false, variable_selector: []}
        vision: {enabled: false}
        %(memory)s
    - %(last)s
    edges:
    - {id: a, source: s, target: m, sourceHandle: source, targetHandle: target}
    - {id: b, source: m, target: e, sourceHandle: source, targetHandle: target}
"""


def flow_app(live: Live, mode: str, *, features: str = "{}", extra: str = "", memory: str = "",
             prompt: str | None = None) -> str:
    """Import and publish a graph of start, LLM and end (or answer); return a key."""
    chat = mode == "advanced-chat"
    text = FLOW % {
        "mode": mode, "features": features, "extra": extra, "memory": memory,
        "prompt": prompt or ("{{#sys.query#}}" if chat else "{{#s.word#}}"),
        "variables": "" if chat else "{variable: word, label: w, type: text-input, required: true, max_length: 100}",
        "last": ('{id: e, data: {type: answer, title: E, answer: "{{#m.text#}}"}}' if chat else
                 "{id: e, data: {type: end, title: E, outputs: [{variable: result, value_selector: [m, text]}]}}")}
    found = live.admin.post("/apps/imports", json={"mode": "yaml-content", "yaml_content": text})
    assert found.status_code == 200, found.text
    app_id = found.json["app_id"]
    published = live.admin.post(f"/apps/{app_id}/workflows/publish", json={})
    assert published.status_code == 200, published.text
    return live.new_key(app_id)
