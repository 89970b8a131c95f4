"""The first slice under `sparrow dev`: from the setup code to an answer over one's own PDF, in the browser and by the
service API. The same in the booted image: tests/image/test_life.py."""

from __future__ import annotations

import re

import pytest

from tests.web import visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def slice_(desk, manuals):
    """The manual in two languages and an assistant that answers from it: (page, address, app id)."""
    visit.add_documents(desk, desk.address, "Debian", list(manuals.values()), seconds=600)
    return desk, desk.address, visit.create_assistant(desk, desk.address, "Debian helper", "fake-reader", "Debian")


@pytest.mark.parametrize(("question", "answer"), [visit.ENGLISH, visit.CHINESE])
def test_answer_cites_the_manual(slice_, question, answer):
    page, address, app = slice_
    page.goto(f"{address}/apps/{app}/prompt")
    visit.ask(page, question, answer)
    visit.open_citation(page)
    original = page.get_by_test_id("source").get_by_role("link", name=re.compile("^Open page")).get_attribute("href")
    assert re.search(r"#page=\d+$", original)
    opened = page.request.get(f"{address}{original.split('#')[0]}")
    assert opened.headers["content-type"] == "application/pdf"
    assert opened.headers["content-disposition"].startswith("inline")
    visit.shot(page, f"slice-{'en' if question.isascii() else 'zh'}-1440")
    page.keyboard.press("Escape")
    assert page.problems == []


def test_key_answers_dify_client_blocking_and_streaming(slice_):
    page, address, app = slice_
    page.goto(f"{address}/apps/{app}/prompt")
    visit.call(address, visit.new_key(page))


@pytest.mark.parametrize(("question", "advice"), visit.FAILURES)
def test_failure_says_what_to_do(slice_, question, advice):
    page, address, app = slice_
    page.goto(f"{address}/apps/{app}/prompt")
    visit.fail(page, question, advice)
    visit.ask(page, *visit.ENGLISH)  # the console goes on


def test_real_model_answers_over_the_manual(slice_, llama):
    page, address, app = slice_
    visit.ask_real_model(page, address, app, llama)
