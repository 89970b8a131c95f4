"""Set-up, sign-in, CSRF, back-off."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sparrow import clock
from sparrow.box import account
from sparrow.errors import Conflict
from sparrow.storage import db
from tests.conftest import PASSWORD


@pytest.fixture
def fresh(sqlite_database):
    """A client of a box that was never set up."""
    from sparrow.api import create_app

    return create_app().test_client()


def test_the_first_visit(fresh, data_dir):
    assert fresh.get("/console/api/session").json["setup"] is False
    code = account.setup_code()
    assert len(code) == 9
    reply = fresh.post("/console/api/setup", json={"setup_code": f" {code.lower()} ", "password": "good-pass-1"})
    assert reply.status_code == 200
    session = fresh.get("/console/api/session").json
    assert session["setup"] is True
    assert session["authenticated"] is True
    assert not (data_dir / "config" / "setup-code").exists()


def test_a_wrong_setup_code_is_refused_and_guessing_is_slow(fresh, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    statuses = []
    for _ in range(5):
        reply = fresh.post("/console/api/setup", json={"setup_code": "AAAA-AAAA", "password": "good-pass-1"})
        statuses.append((reply.status_code, reply.json["code"]))
    assert statuses[:3] == [(401, "wrong_setup_code")] * 3
    assert statuses[3:] == [(429, "login_backoff")] * 2
    assert int(reply.headers["Retry-After"]) >= 1
    assert not account.exists()
    now += 3
    reply = fresh.post("/console/api/setup", json={"setup_code": account.setup_code(), "password": "good-pass-1"})
    assert reply.status_code == 200


def test_guesses_sent_at_once_are_not_all_answered(app):
    def guess(number: int) -> int:
        return app.test_client().post("/console/api/login", json={"password": f"wrong-{number}"}).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(8)))
    assert (answers.count(401), answers.count(429)) == (3, 5)


def test_guessing_stays_slow_however_long_it_goes_on(app, monkeypatch):
    monkeypatch.setitem(account._backoff._failures, "127.0.0.1", (5000, 0.0))
    client = app.test_client()
    assert [client.post("/console/api/login", json={"password": "wrong"}).status_code for _ in "ab"] == [401, 429]


def test_setup_happens_once(app):
    reply = app.test_client().post("/console/api/setup", json={"setup_code": "x", "password": "good-pass-1"})
    assert (reply.status_code, reply.json["code"]) == (409, "already_setup")


@pytest.mark.parametrize("password", ["", "short1", "onlyletters", "12345678", "x1" * 600])
def test_a_weak_password_is_refused(fresh, password):
    reply = fresh.post("/console/api/setup", json={"setup_code": account.setup_code(), "password": password})
    assert (reply.status_code, reply.json["code"]) == (400, "weak_password")
    assert not account.exists()


def test_sign_in_and_out(app):
    client = app.test_client()
    assert client.get("/console/api/health").status_code == 401
    assert client.post("/console/api/login", json={"password": "wrong"}).json["code"] == "wrong_password"
    reply = client.post("/console/api/login", json={"password": PASSWORD})
    cookie = reply.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert client.get("/console/api/health").status_code == 200
    csrf = client.get("/console/api/session").json["csrf_token"]
    assert client.post("/console/api/logout").status_code == 403  # no CSRF header
    assert client.post("/console/api/logout", headers={"X-CSRF-Token": csrf}).status_code == 200
    assert client.get("/console/api/health").status_code == 401


def test_the_cookie_is_secure_behind_https(app):
    reply = app.test_client().post("/console/api/login", json={"password": PASSWORD}, base_url="https://box")
    assert "Secure" in reply.headers["Set-Cookie"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "localhost"])
def test_another_site_cannot_sign_in(app, origin):
    reply = app.test_client().post("/console/api/login", json={"password": PASSWORD}, headers={"Origin": origin})
    assert (reply.status_code, reply.json["code"]) == (403, "cross_origin")


def test_changing_the_password_ends_other_sessions(app, admin):
    from tests.conftest import AdminClient

    other = AdminClient(app)
    wrong = admin.post("/account/password", json={"password": "nope", "new_password": "another-1"})
    assert wrong.status_code == 401
    reply = admin.post("/account/password", json={"password": PASSWORD, "new_password": "another-pass-1"})
    assert reply.status_code == 200
    assert other.get("/health").status_code == 401
    assert admin.get("/health").status_code == 200


@pytest.mark.parametrize(("body", "place"), [
    ('{"password": 5}', "password"), ("{}", "password"), ("{", "JSON"), ("\xff", "JSON"), ('"text"', "object")])
def test_bad_bodies_name_the_place(app, body, place):
    reply = app.test_client().post("/console/api/login", data=body.encode("latin-1"))
    assert reply.status_code == 400
    assert set(reply.json) >= {"code", "message", "status"}
    assert place in reply.json["message"]


def test_an_unknown_route_has_the_envelope(app):
    reply = app.test_client().get("/console/api/nothing")
    assert (reply.status_code, reply.json["code"]) == (404, "not_found")
    assert app.test_client().delete("/console/api/session").json["code"] == "method_not_allowed"


def test_the_document_describes_the_routes(app):
    document = app.test_client().get("/console/api/openapi.json").json
    assert document["openapi"] == "3.1.0"
    login = document["paths"]["/console/api/login"]["post"]
    assert login["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/SignIn"}
    assert "SignIn" in document["components"]["schemas"]


def test_two_first_visits_at_once_make_one_admin(database):
    with ThreadPoolExecutor(1) as pool:
        with db.write():
            account.create(PASSWORD)
            other = pool.submit(account.create, PASSWORD)
            time.sleep(0.3)
        with pytest.raises(Conflict):
            other.result(20)
