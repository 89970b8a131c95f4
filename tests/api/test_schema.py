"""Schema-driven fuzzing: whatever is sent, no 500, and every reply is what the document says."""

from __future__ import annotations

import traceback

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

CHECKS = (not_a_server_error, content_type_conformance, response_schema_conformance)
EXAMPLES = 30
KNOWLEDGE = ("/v1/datasets", "/v1/workspaces")


@pytest.mark.slow
def test_console(app, admin):
    """The console's API, signed in."""
    fuzz(app, "/console/api/openapi.json", {"X-CSRF-Token": admin.csrf}, admin.http.get_cookie("sparrow_session").value)


@pytest.mark.slow
def test_service(app, admin):
    """The service API, with the key of a chat app and then of the knowledge bases."""
    app_id = admin.post("/apps", json={"name": "t", "mode": "chat"}).json["id"]
    key = admin.post(f"/apps/{app_id}/api-keys", json={}).json["token"]
    knowledge = admin.post("/dataset-keys", json={"name": "k"}).json["token"]
    fuzz(app, "/v1/openapi.json", {"Authorization": f"Bearer {key}"}, skip=KNOWLEDGE)
    fuzz(app, "/v1/openapi.json", {"Authorization": f"Bearer {knowledge}"}, only=KNOWLEDGE)


@pytest.mark.slow
def test_site(app, admin):
    """The API of apps' pages, as a visitor."""
    app_id = admin.post("/apps", json={"name": "t", "mode": "chat"}).json["id"]
    found = app.test_client().get("/api/passport", headers={"X-App-Code": app_id}).json
    fuzz(app, "/v1/site-openapi.json", {"Authorization": f"Bearer {found['access_token']}"})


@pytest.mark.parametrize("path", ["/console/api/openapi.json", "/v1/openapi.json", "/v1/site-openapi.json"])
def test_documents(app, path):
    """Each is OpenAPI 3.1, names every operation once, and says of each what it answers."""
    found = app.test_client().get(path).json
    operations = [operation for methods in found["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert found["openapi"] == "3.1.0"
    assert len(names) == len(set(names)) > 20
    assert all(operation["summary"] and operation["responses"] for operation in operations)


def fuzz(app, document: str, headers: dict[str, str], session: str | None = None, *, only: tuple[str, ...] = (),
         skip: tuple[str, ...] = ()) -> None:
    """Send generated requests to every operation of a document."""
    schema = schemathesis.openapi.from_wsgi(document, app)
    problems: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if (only and not operation.path.startswith(only)) or (skip and operation.path.startswith(skip)):
            continue

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
            if _is_the_generators_own(error):
                continue
            problems.append(f"{operation.label}: {''.join(traceback.format_exception(error))[-4000:]}")
    assert not problems, "\n\n".join(problems)


def _is_the_generators_own(error: BaseException) -> bool:
    """Tell whether a run ended because requests were made otherwise at the replay: the generator learns from replies.

    All it had made until then was checked.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_the_generators_own, error.exceptions))
    return isinstance(error, FlakyStrategyDefinition)


def _run(operation, check) -> None:
    from hypothesis import given

    given(case=operation.as_strategy())(check)()
