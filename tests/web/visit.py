"""The steps of somebody who uses the console, in English, as functions of a Playwright page."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

OUT = Path(__file__).resolve().parent / ".out"
PASSWORD = "brave-sparrow-7"
PICTURE = {"name": "pump.png", "mimeType": "image/png", "buffer": base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC")}
# What the manuals of conftest.py say: (question, part of the answer).
ENGLISH = "Which stage of the boot process is the boot loader?", "2nd stage of the boot process"
CHINESE = "常规 Debian 系统是启动流程的第几阶段？", "第四阶段"
# What a model's server does (tests/fake_llm) and what the console advises then.
FAILURES = [
    ("<<error:rate_limit>>", "Wait a minute"),
    ("<<fault:cut:2>>", "Try again"),
    ("<<fault:reset>>", "Models"),
    ("<<error:auth>>", "refused the API key"),
]


def open_page(browser, locale: str, width: int, *, seconds: int = 180, **more):
    """Return a page that remembers in `problems` what went wrong on it and waits `seconds` for what it looks for.
    `more` goes to the browser context."""
    context = browser.new_context(viewport={"width": width, "height": 900 if width > 500 else 844}, locale=locale,
                                  accept_downloads=True, reduced_motion="reduce", **more)
    page = context.new_page()
    page.set_default_timeout(seconds * 1000)
    page.problems = []
    page.on("console", lambda m: page.problems.append(f"{m.text} {m.location['url']}") if m.type == "error" else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    return page


def shot(page, name: str) -> None:
    """Keep a picture for people to look at."""
    OUT.mkdir(exist_ok=True)
    page.screenshot(path=OUT / f"{name}.png", animations="disabled")


def assert_sound(page) -> None:
    """Nothing sticks out sideways, and every control has a name."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), page.url
    nameless = page.evaluate("""() => [...document.querySelectorAll('button, a[href], input, textarea, select')]
        .filter(e => e.offsetParent && !e.closest('[aria-hidden=true]'))
        .filter(e => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.innerText
                       || (e.labels && e.labels.length) || e.title))
        .map(e => e.outerHTML.slice(0, 160))""")
    assert nameless == [], (page.url, nameless)


def settled(page) -> None:
    """Wait until the page has its heading and nothing on it is being loaded any more."""
    from playwright.sync_api import expect

    page.get_by_role("heading").first.wait_for()
    expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=180_000)


def still(locator) -> dict[str, float]:
    """Return an element's box once it lies still: {x, y, width, height}."""
    before, box = None, locator.bounding_box()
    while box != before:
        locator.page.wait_for_timeout(250)
        before, box = box, locator.bounding_box()
    return box


def set_up(page, address: str, code: str) -> None:
    """Be the first visitor: a wrong setup code, then the right one."""
    page.goto(address)
    page.wait_for_url("**/setup")
    page.get_by_label("Setup code").fill("WRNG-CODE")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("textbox", name="New password").fill(PASSWORD)
    page.get_by_role("textbox", name="The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Start").click()
    page.get_by_text("This is not the setup code").wait_for()
    page.problems.clear()  # the refused code is a 401 in the browser's own log
    page.get_by_label("Setup code").fill(code)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Start").click()
    page.get_by_text("Three steps to your first answer").wait_for()


def connect(page, address: str, provider: str, base_url: str, model: str) -> None:
    """Connect a model provider, after testing the connection."""
    page.goto(f"{address}/models")
    page.get_by_role("button", name=re.compile(provider)).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Address (base URL)").fill(base_url)
    dialog.get_by_role("button", name="Test connection").click()
    dialog.get_by_text(re.compile(r"Works: answered")).wait_for()
    dialog.get_by_label(model, exact=True).check()
    shot(page, f"connect-{model}-en-1440")
    dialog.get_by_role("button", name=re.compile("^Save with")).click()
    dialog.wait_for(state="hidden")
    page.get_by_role("article", name=re.compile(provider)).get_by_text(model).first.wait_for()


def add_documents(page, address: str, name: str, files: list[Path], *, seconds: int = 240) -> None:
    """Make a knowledge base of some files and wait until all can be searched."""
    page.goto(f"{address}/knowledge?create=1")
    page.get_by_label("Name").fill(name)
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    page.wait_for_url("**/add")
    page.locator("input[type=file]").first.set_input_files(files)
    page.get_by_role("button", name="Preview").click()
    page.get_by_text(re.compile(r"chunks? in this file")).wait_for()
    page.get_by_role("button", name=re.compile(f"^Index {len(files)}")).click()
    page.get_by_role("progressbar").or_(page.locator("[data-status]")).first.wait_for()
    shot(page, f"indexing-{name}-en-1440")
    page.locator("[data-status=available]").nth(len(files) - 1).wait_for(timeout=seconds * 1000)
    shot(page, f"documents-{name}-en-1440")


def create_assistant(page, address: str, name: str, model: str, dataset: str) -> str:
    """Make a chat assistant over a knowledge base; return the app's id."""
    page.goto(f"{address}/apps?create=1")
    page.get_by_label("Name").fill(name)
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    page.wait_for_url("**/prompt")
    choose_model(page, model)
    page.get_by_role("textbox", name="Instructions").fill("Answer from the documents.")
    page.get_by_role("region", name="Knowledge").get_by_role("button", name="Add").click()
    page.get_by_role("checkbox", name=re.compile(dataset)).click()
    page.get_by_role("button", name="Done").click()
    publish(page)
    return re.search(r"/apps/([^/]+)", page.url)[1]


def choose_model(page, model: str) -> None:
    """Choose the model of the app whose prompt is open."""
    page.get_by_role("region", name="Model").locator("input").first.click()
    page.get_by_role("option", name=model).click()
    publish(page)


def publish(page) -> None:
    """Publish the changes of the app whose prompt is open."""
    changes = page.get_by_role("region", name="Changes that are not published")
    changes.get_by_role("button", name="Publish").click()
    changes.wait_for(state="hidden")
    page.get_by_text("Saved", exact=True).wait_for()


def configure(page, address: str, app: str, changes: dict, *, top_k: int) -> None:
    """Change an app's configuration as the console would, and how many passages it is given."""
    api = f"{address}/console/api"
    token = page.request.get(f"{api}/session").json()["csrf_token"]
    config = {**page.request.get(f"{api}/apps/{app}/model-config").json(), **changes}
    config["dataset_configs"] = {**(config.get("dataset_configs") or {}), "top_k": top_k}
    saved = page.request.post(f"{api}/apps/{app}/model-config", data=config, headers={"X-CSRF-Token": token})
    assert saved.ok, saved.text()


def ask_real_model(page, address: str, app: str, base_url: str, *, seconds: int = 800) -> None:
    """Have tests/llama_server.py's model answer over the manual in the open chat."""
    model = "smollm2-135m-instruct"
    connect(page, address, "llama.cpp", base_url, model)
    # It reads a few dozen tokens a second: one passage and a short answer are enough.
    configure(page, address, app, {
        "model": {"provider": "llamacpp", "name": model, "mode": "chat",
                  "completion_params": {"max_tokens": 40, "temperature": 0.0}}}, top_k=1)
    page.goto(f"{address}/apps/{app}/prompt")
    page.get_by_role("textbox", name="Ask something…").fill(ENGLISH[0])
    page.keyboard.press("Enter")
    page.get_by_test_id("citation").first.wait_for(timeout=seconds * 1000)
    shot(page, "real-model-en-1440")
    assert page.get_by_role("log").get_by_role("alert").count() == 0
    assert page.get_by_role("log").get_by_text(re.compile(r"boot", re.I)).count() > 1  # the question, and the answer


def fail(page, question: str, advice: str) -> None:
    """Ask what the model's server fails at; the console says what to do."""
    page.get_by_role("textbox", name="Ask something…").fill(question)
    page.keyboard.press("Enter")
    alert = page.get_by_role("log").get_by_role("alert")
    alert.wait_for()
    shot(page, f"failure-{''.join(c for c in question if c.isalnum())}-en-1440")
    assert advice.lower() in alert.inner_text().lower()


def open_citation(page) -> None:
    """Open the first source that the last answer cites: the passage is marked in the manual it came from."""
    page.get_by_test_id("citation").first.click()
    source = page.get_by_test_id("source")
    source.get_by_text(".pdf").first.wait_for()
    source.locator("mark").first.wait_for()


def call(address: str, key: str) -> None:
    """Ask by Dify's own client, blocking and streaming; both answers cite the manual."""
    from dify_client import ChatClient

    client = ChatClient(key)
    client.base_url = f"{address}/v1"
    blocking = client.create_chat_message({}, ENGLISH[0], "reader", response_mode="blocking")
    assert blocking.status_code == 200, blocking.text
    assert ENGLISH[1] in blocking.json()["answer"]
    assert blocking.json()["metadata"]["retriever_resources"][0]["document_name"].endswith(".pdf")
    streaming = client.create_chat_message({}, CHINESE[0], "reader", response_mode="streaming")
    events = [json.loads(line[6:]) for line in streaming.iter_lines() if line.startswith(b"data: ")]
    assert CHINESE[1] in "".join(event["answer"] for event in events if event["event"] == "message")
    assert events[-1]["event"] == "message_end"
    assert events[-1]["metadata"]["retriever_resources"]


def ask(page, question: str, answer: str, *, placeholder: str = "Ask something…", seconds: int = 180) -> None:
    """Ask in the open chat; wait for an answer that matches and for what it cites."""
    page.get_by_role("textbox", name=placeholder).fill(question)
    page.keyboard.press("Enter")
    page.get_by_role("log").get_by_text(re.compile(answer)).last.wait_for(timeout=seconds * 1000)
    page.get_by_test_id("citation").first.wait_for(timeout=seconds * 1000)


def new_key(page) -> str:
    """Make an API key of the open app and return it."""
    page.get_by_role("link", name="Access").click()
    page.get_by_role("button", name="New key").click()
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    token = page.get_by_test_id("api-token").inner_text()
    page.get_by_role("button", name="I have copied it").click()
    page.get_by_test_id("api-token").wait_for(state="hidden")
    return token


class Console:
    """The console's API with a page's session: what a test needs but does not look at is made by this way."""

    def __init__(self, page, address: str):
        self.request, self.base = page.request, f"{address}/console/api"
        self.token = self.request.get(f"{self.base}/session").json()["csrf_token"]

    def __call__(self, method: str, path: str, body=None):
        reply = self.request.fetch(f"{self.base}{path}", method=method, data=body,
                                   headers={"X-CSRF-Token": self.token})
        assert reply.ok, f"{method} {path}: {reply.status} {reply.text()}"
        return reply.json() if reply.text() else None

    def provider(self, base_url: str, models: dict[str, str]) -> None:
        """Connect OpenAI at `base_url` with models {name: type}; each is the default of its type."""
        self("POST", "/model-providers/openai/credentials", {"name": "Fake", "base_url": base_url, "api_key": "sk-1"})
        for name, kind in models.items():
            self("POST", "/model-providers/openai/models",
                 {"model": name, "type": kind, "features": ["vision", "tool-call"] if kind == "llm" else []})
            self("POST", "/default-models", {kind: {"provider": "openai", "model": name}})

    def app(self, mode: str, name: str, **config) -> str:
        """Make a chat, agent or completion app with OpenAI's fake-llm; return its id."""
        app = self("POST", "/apps", {"name": name, "mode": mode})["id"]
        made = self("GET", f"/apps/{app}/model-config")
        model = {"provider": "openai", "name": "fake-llm", "mode": "chat", "completion_params": {}}
        self("POST", f"/apps/{app}/model-config", {**made, "model": model, **config})
        return app

    def graph(self, name: str, nodes: list[dict], edges: list[tuple[str, str, str]], **features) -> str:
        """Make and publish a workflow (a chatflow, if a node is an answer) of node data with `id`; return its id."""
        mode = "advanced-chat" if any(node["type"] == "answer" for node in nodes) else "workflow"
        app = self("POST", "/apps", {"name": name, "mode": mode})["id"]
        draft = self("GET", f"/apps/{app}/workflows/draft")
        graph = {"nodes": [{"id": data["id"], "type": "custom", "position": {"x": 300 * i, "y": 100},
                            "data": {"title": data["id"], **{k: v for k, v in data.items() if k != "id"}}}
                           for i, data in enumerate(nodes)],
                 "edges": [{"id": f"{a}-{handle}-{b}", "source": a, "sourceHandle": handle, "target": b,
                            "targetHandle": "target", "type": "custom", "data": {}} for a, handle, b in edges],
                 "viewport": {"x": 0, "y": 0, "zoom": 1}}
        self("POST", f"/apps/{app}/workflows/draft",
             {"graph": graph, "features": features, "hash": draft.get("hash"), "environment_variables": [],
              "conversation_variables": []})
        self("POST", f"/apps/{app}/workflows/publish", {})
        return app
