"""Slots of prompts and openers."""

from __future__ import annotations

import pytest

from sparrow.apps import opener


@pytest.mark.parametrize(("text", "inputs", "found"), [
    ("Hi {{who}}, {{n}} {{no}}", {"who": "Ann", "n": 3, "no": None}, "Hi Ann, 3 "),
    ("{{unknown}} {{ who }}", {"who": "Ann"}, "{unknown} {{ who }}"),
    ("{{who}} {{#context#}}", {"who": "{{x}} {{#query#}}"}, "{x} {#query#} {{#context#}}"),
])
def test_slots(text, inputs, found):
    assert opener.fill(text, inputs) == found
