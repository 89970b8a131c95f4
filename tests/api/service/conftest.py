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
    from sparrow.apps import user
    from sparrow.providers import store

    user.forget()
    store.source().forget()
    with FakeLLM() as fake:
        served = Live(app, fake)
        reply = served.admin.post("/model-providers/openai/credentials",
                                  json={"name": "fake", "base_url": fake.base_url, "api_key": "sk-fake-key"})
        assert reply.status_code in (200, 201), reply.text
        served.admin.post("/default-models", json={"llm": {"provider": "openai", "model": "fake-llm"}})
        yield served
        served.server.shutdown()
