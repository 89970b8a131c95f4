"""The first slice: from the setup code to an answer over one's own PDF, in the browser and by the service API."""

from __future__ import annotations

import json
import re

import pytest
from dify_client import ChatClient

from tests.fake_llm import FakeLLM
from tests.web import visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

ENGLISH = "Which stage of the boot process is the boot loader?", "2nd stage of the boot process"
CHINESE = "常规 Debian 系统是启动流程的第几阶段？", "第四阶段"


@pytest.fixture(scope="module")
def slice_(browser, box, manuals):
    """A box with a model, the manual in two languages and an assistant: (page, address, app id)."""
    address, code = box
    with FakeLLM() as fake:
        page = visit.open_page(browser, "en-US", 1440)
        visit.set_up(page, address, code)
        visit.connect(page, address, "OpenAI-compatible", fake.base_url, "fake-reader")
        visit.add_documents(page, address, "Debian", list(manuals.values()), seconds=180)
        app = visit.create_assistant(page, address, "Debian helper", "fake-reader", "Debian")
        yield page, address, app
        page.context.close()


@pytest.mark.parametrize(("question", "answer"), [ENGLISH, CHINESE])
def test_answer_cites_the_manual(slice_, question, answer):
    page, address, app = slice_
    page.goto(f"{address}/apps/{app}/prompt")
    visit.ask(page, question, answer)
    page.get_by_test_id("citation").first.click()
    source = page.get_by_test_id("source")
    source.get_by_text(".pdf").first.wait_for()
    source.locator("mark").first.wait_for()
    visit.shot(page, f"slice-{'en' if question.isascii() else 'zh'}-1440")
    page.keyboard.press("Escape")
    assert page.problems == []


def test_key_answers_dify_client_blocking_and_streaming(slice_):
    page, address, app = slice_
    page.goto(f"{address}/apps/{app}/prompt")
    client = ChatClient(visit.new_key(page))
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


@pytest.mark.parametrize(("question", "advice"), [
    ("<<error:rate_limit>>", "Wait a minute"),
    ("<<fault:cut:2>>", "Try again"),
    ("<<fault:reset>>", "Models"),
    ("<<error:auth>>", "refused the API key"),
])
def test_failure_says_what_to_do(slice_, question, advice):
    page, address, app = slice_
    page.goto(f"{address}/apps/{app}/prompt")
    page.get_by_role("textbox", name="Ask something…").fill(question)
    page.keyboard.press("Enter")
    alert = page.get_by_role("log").get_by_role("alert")
    alert.wait_for(timeout=60_000)
    visit.shot(page, f"failure-{''.join(c for c in question if c.isalnum())}-en-1440")
    assert advice.lower() in alert.inner_text().lower()
    # The console goes on: the next question is answered.
    visit.ask(page, *ENGLISH)


def test_real_model_answers_over_the_manual(slice_, llama):
    page, address, app = slice_
    visit.connect(page, address, "llama.cpp", llama, "smollm2-135m-instruct")
    # It reads a few dozen tokens a second: one passage and a short answer are enough.
    visit.configure(page, address, app, {
        "model": {"provider": "llamacpp", "name": "smollm2-135m-instruct", "mode": "chat",
                  "completion_params": {"max_tokens": 40, "temperature": 0.0}}}, top_k=1)
    page.goto(f"{address}/apps/{app}/prompt")
    page.get_by_role("textbox", name="Ask something…").fill(ENGLISH[0])
    page.keyboard.press("Enter")
    page.get_by_test_id("citation").first.wait_for(timeout=400_000)
    visit.shot(page, "slice-real-model-en-1440")
    assert page.get_by_role("log").get_by_role("alert").count() == 0
    assert page.get_by_role("log").get_by_text(re.compile(r"boot", re.I)).count() > 1  # the question, and the answer
