"""One live Sparrow for all recorded cases: scripted model, echo server, threaded HTTP server."""

from __future__ import annotations

import importlib.util
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import CORPUS, PASSWORD, AdminClient
from tests.fake_llm import FakeLLM

GOLDEN = CORPUS / "dify-golden"
CASES = sorted(path.name for path in (GOLDEN / "cases").iterdir()) if GOLDEN.is_dir() else []
ECHO = "127.0.0.1:25004"
_TOOLS = ["tool-call", "multi-tool-call", "stream-tool-call"]
_MODELS = {"fake-llm": [], "fake-tool": _TOOLS, "fake-vision": [*_TOOLS, "vision", "document"],
           "fake-so": [*_TOOLS, "structured-output"]}


class Stage:
    """Where the cases are played."""

    def __init__(self, application, fake: FakeLLM, echo: str):
        from werkzeug.serving import make_server

        self.admin = AdminClient(application)
        self.fake, self.echo = fake, echo
        self.server = make_server("127.0.0.1", 0, application, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def here(self, text: str) -> str:
        """Return text of a case with the echo server's address of this machine."""
        return text.replace(ECHO, self.echo)

    def there(self, value: Any) -> Any:
        """Return what Sparrow said with the recorded address."""
        return json.loads(json.dumps(value).replace(self.echo, ECHO))

    def call(self, key: str, path: str, body: dict[str, Any], *, stop_on: str = "", cut_after: str = "") -> dict:
        """Make one request; return {status, body} or {status, events}."""
        headers = {"Authorization": f"Bearer {key}"}
        reply = requests.post(self.url + path, json=body, headers=headers, timeout=60,
                              stream=body.get("response_mode") == "streaming")
        if not reply.headers.get("content-type", "").startswith("text/event-stream"):
            kind = reply.headers.get("content-type", "")
            return {"status": reply.status_code, "body": self.there(reply.json() if "json" in kind else reply.text)}
        found = []
        for line in reply.iter_lines(decode_unicode=True):
            if not line.startswith("data: "):
                continue
            event = json.loads(line[6:])
            found.append(self.there(event))
            if cut_after and event["event"] == cut_after:
                reply.close()
                break
            if stop_on and event["event"] == stop_on:
                stop_on = ""
                time.sleep(0.3)
                requests.post(f"{self.url}/v1/chat-messages/{event['task_id']}/stop", json={"user": body["user"]},
                              headers=headers, timeout=10)
        return {"status": reply.status_code, "events": found}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """The served application, set up as the recordings expect it."""
    if not CASES:
        pytest.skip("the corpus folder is not beside this checkout")
    from sparrow import settings
    from sparrow.api import create_app
    from sparrow.apps import user
    from sparrow.box import account
    from sparrow.providers import store
    from sparrow.storage import db, migrate

    folder = tmp_path_factory.mktemp("golden")
    (folder / "data" / "config").mkdir(parents=True)
    (folder / "run").mkdir()
    with pytest.MonkeyPatch.context() as patch, FakeLLM() as fake, echo_server() as echo:
        patch.setenv("SPARROW_DATA_DIR", str(folder / "data"))
        patch.setenv("SPARROW_RUN_DIR", str(folder / "run"))
        patch.setenv("SPARROW_DEV", "1")
        patch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")
        settings.reset()
        db.reset()
        account._known.clear()
        user.forget()
        migrate.upgrade()
        account.create(PASSWORD)
        store.source().forget()
        played = Stage(create_app(), fake, echo)
        reply = played.admin.post("/model-providers/openai/credentials",
                                  json={"name": "fake", "base_url": fake.base_url, "api_key": "sk-fake-key"})
        assert reply.status_code in (200, 201), reply.text
        for name, features in _MODELS.items():
            reply = played.admin.post("/model-providers/openai/models", json={
                "model": name, "type": "llm", "features": features, "context_size": 128000})
            assert reply.status_code in (200, 201), reply.text
        reply = played.admin.post("/model-providers/openai/models", json={
            "model": "fake-completion", "type": "llm", "mode": "completion", "features": [], "context_size": 128000})
        played.admin.post("/default-models", json={"llm": {"provider": "openai", "model": "fake-llm"}})
        yield played
        played.server.shutdown()
        db.reset()
        settings.reset()


class echo_server:
    """The recorded outside world, on a free port."""

    def __enter__(self) -> str:
        path = GOLDEN / "fake" / "echo_server.py"
        spec = importlib.util.spec_from_file_location("golden_echo", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._server = module.ThreadingHTTPServer(("127.0.0.1", 0), module.H)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()


def read(path: Path) -> Any:
    """Return a recorded reply."""
    return json.loads(path.read_text())


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return a recorded stream."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
