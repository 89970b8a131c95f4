"""Schema-driven fuzzing: whatever is sent, no 500, and every reply is what the document says."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

CHECKS = (not_a_server_error, content_type_conformance, response_schema_conformance)
EXAMPLES = 12


@pytest.mark.slow
def test_console(app, admin):
    """The console's API, signed in."""
    fuzz(app, "/console/api/openapi.json", {"X-CSRF-Token": admin.csrf}, admin.http.get_cookie("sparrow_session").value)


def fuzz(app, document: str, headers: dict[str, str], session: str | None = None) -> None:
    """Send generated requests to every operation of a document."""
    schema = schemathesis.openapi.from_wsgi(document, app)
    problems: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
                  suppress_health_check=list(HealthCheck))
        def check(case):
            if case.path.endswith(("/logout", "/account/password")):
                return  # would end the session that the others need
            case.headers = {**(case.headers or {}), **headers}
            response = case.call(cookies={"sparrow_session": session} if session else None)
            case.validate_response(response, checks=CHECKS)

        try:
            operation.as_strategy()  # a document that cannot be read fails here
            _run(operation, check)
        except BaseException as error:
            problems.append(f"{operation.label}: {error}")
    assert not problems, "\n\n".join(problems)


def _run(operation, check) -> None:
    from hypothesis import given

    given(case=operation.as_strategy())(check)()
