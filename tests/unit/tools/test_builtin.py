"""The built-in tools, through the engine's port."""

import base64
import contextlib
import hashlib
import hmac
import json
import socketserver
import sqlite3
import threading
import time

import pytest

from sparrow.engine.ports import Cancel, PortError, ToolRef
from sparrow.tools.port import Port
from tests import mariadb

pytestmark = pytest.mark.usefixtures("sqlite_database")


def use(provider, tool, settings=None, cancel=None, **arguments):
    ref = ToolRef("builtin", provider, tool)
    return "".join(m.value for m in Port().invoke(ref, arguments, settings or {}, cancel or Cancel()))


@pytest.mark.parametrize(("text", "value"), [("(2+3)*4", "20"), ("sqrt(16)", "4.0"), ("2^10", "1024"),
                                            ("-7 // 2", "-4")])
def test_calculates(text, value):
    assert use("maths", "eval_expression", expression=text) == value


@pytest.mark.parametrize("text", ["__import__('os')", "9**9**9", "1/0", "'a'*9", "(", "().__class__", "9^999999"])
def test_refuses_what_is_not_arithmetic(text):
    with pytest.raises(PortError):
        use("maths", "eval_expression", expression=text)


def test_time(monkeypatch):
    monkeypatch.setattr("sparrow.clock.now", lambda: 0.0)
    assert use("langgenius/time/time", "current_time", {"timezone": "Asia/Shanghai", "format": "%H:%M"}) == "08:00"
    assert use("time", "weekday", year=2026, month=11, day=24) .endswith("Tuesday.")
    assert use("time", "timezone_conversion", current_time="2026-01-01 00:00:00", current_timezone="UTC",
               target_timezone="Asia/Tokyo") == "2026-01-01 09:00:00"


def test_json():
    assert use("json_process", "parse", content='{"a": [{"b": "水"}]}', query="a[0].b") == "水"


def test_code_runs_in_the_sandbox():
    assert use("code", "simple_code", code="def main(): return 6 * 7") == "42"


def test_pages_are_behind_the_guard():
    with pytest.raises(PortError, match="not allowed"):
        use("webscraper", "webscraper", url="http://127.0.0.1:1/")


def test_unknown_tools_and_missing_parameters():
    with pytest.raises(PortError, match="does not exist"):
        Port().describe(ToolRef("builtin", "acme", "x"))
    with pytest.raises(PortError, match="expression not found"):
        use("maths", "eval_expression")


def test_describes_what_the_model_fills_in():
    info = Port().describe(ToolRef("builtin", "feishu", "feishu_group_bot"))
    assert list(info.spec.parameters["properties"]) == ["content"]
    assert info.parameters["hook_key"]["form"] == "form"


def test_timestamps():
    assert use("time", "localtime_to_timestamp", {"timezone": "Asia/Shanghai"}, localtime="1970-01-01 08:00:01") == "1"
    assert use("time", "timestamp_to_localtime", {"timezone": "Asia/Shanghai"}, timestamp="1") == "1970-01-01 08:00:01"
    with pytest.raises(PortError):
        use("time", "timestamp_to_localtime", timestamp=10**30)


def test_json_is_searched_and_changed():
    text = json.dumps({"a": [{"b": 1}, {"b": 2}], "c d": "x"})
    assert use("json_process", "parse", content=text, query="$.a[*].b") == "[1, 2]"
    assert use("json_process", "parse", content=text, query="['c d']") == "x"
    assert json.loads(use("json_process", "change", content=text, query="a[2]", value='{"b": 3}'))["a"][2] == {"b": 3}
    assert "c d" not in use("json_process", "change", content=text, query="c d")
    with pytest.raises(PortError, match=r"nothing at “a\.9”"):
        use("json_process", "parse", content=text, query="a[9]")


def test_a_page_is_read_as_text(service):
    text = use("webscraper", "webscraper", url=f"{service}/x.html")
    assert "正文" in text
    assert "标题" in text
    assert "menu" not in text


def test_a_webhook(service):
    from tests.unit.tools.conftest import Service

    use("webhook", "post", {"url": f"{service}/hook", "secret": "s"}, body='{"a": "水"}')
    assert json.loads(Service.seen[-1]["body"]) == {"a": "水"}
    assert Service.seen[-1]["headers"]["authorization"] == "Bearer s"
    # What the author has set is not the model's to change.
    use("webhook", "post", {"url": f"{service}/hook"}, body="x", url=f"{service}/elsewhere")
    assert Service.seen[-1]["path"] == "/hook"
    with pytest.raises(PortError, match="answered 500"):
        use("webhook", "post", {"url": f"{service}/broken"}, body="x")


@pytest.fixture
def robot(service, monkeypatch):
    """Send what is meant for the robots' services to the test's service; return what it saw."""
    from sparrow.tools.builtin import robots, web
    from tests.unit.tools.conftest import Service

    sent = []

    def post(url, body, use_):
        sent.append(url)
        return web.post(f"{service}/robot", body, use_)

    monkeypatch.setattr(robots, "post", post)
    monkeypatch.setattr("sparrow.clock.now", lambda: 1_700_000_000.0)
    return lambda: (sent[-1], json.loads(Service.seen[-1]["body"]))


def digest(key, text):
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


def test_robots_of_group_chats(robot):
    use("feishu", "feishu_group_bot", {"hook_key": "abc", "sign_secret": "s"}, content="你好")
    url, body = robot()
    assert url == "https://open.feishu.cn/open-apis/bot/v2/hook/abc"
    assert body == {"msg_type": "text", "content": {"text": "你好"}, "timestamp": "1700000000",
                    "sign": digest("1700000000\ns", "")}
    use("dingtalk", "dingtalk_group_bot", {"access_token": "t", "sign_secret": "s"}, content="x")
    url, body = robot()
    sign = digest("s", "1700000000000\ns").replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert url == f"https://oapi.dingtalk.com/robot/send?access_token=t&timestamp=1700000000000&sign={sign}"
    assert body == {"msgtype": "text", "text": {"content": "x"}}
    use("wecom", "wecom_group_bot", {"hook_key": "k", "message_type": "markdown"}, content="**x**")
    assert robot() == ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k",
                       {"msgtype": "markdown", "markdown": {"content": "**x**"}})


def test_a_robot_that_refuses_and_one_elsewhere(robot, service, monkeypatch):
    from sparrow.tools.builtin import robots

    with pytest.raises(PortError, match="must be at"):
        use("wecom", "wecom_group_bot", {"hook_key": "https://evil.example/x"}, content="x")
    monkeypatch.setattr(robots, "post", lambda *args: '{"errcode": 310000, "errmsg": "sign not match"}')
    with pytest.raises(PortError, match="sign not match"):
        use("dingtalk", "dingtalk_group_bot", {"access_token": "t"}, content="x")


class Mail(socketserver.StreamRequestHandler):
    """A mail server that takes everything from user u."""

    got: list[bytes] = []

    def handle(self):
        self.say("220 hello")
        while line := self.rfile.readline().strip():
            word = line.split()[0].upper()
            if word == b"EHLO":
                self.say("250-fake\r\n250 AUTH PLAIN")
            elif word == b"AUTH":
                good = base64.b64decode(line.split()[2]) == b"\0u@x.cn\0secret"
                self.say("235 ok" if good else "535 wrong password")
            elif word == b"DATA":
                self.say("354 go")
                lines = []
                while (text := self.rfile.readline()) != b".\r\n":
                    lines.append(text)
                self.got.append(b"".join(lines))
                self.say("250 taken")
            elif word == b"QUIT":
                return self.say("221 bye")
            else:
                self.say("250 ok")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


def test_mail(monkeypatch):
    import email
    import email.policy

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    account = {"email_account": "u@x.cn", "email_password": "secret", "smtp_server": "127.0.0.1",
               "smtp_port": server.server_address[1], "encrypt_method": "NONE"}
    letter = {"send_to": "a@y.cn, b@y.cn", "subject": "你好", "email_content": "正文"}
    try:
        with pytest.raises(PortError, match="not allowed"):
            use("email", "send_mail", account, **letter)
        monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")
        assert use("langgenius/email/email", "send_mail", account, **letter) == "Mail sent successfully"
        message = email.message_from_bytes(Mail.got[-1], policy=email.policy.default)
        assert (message["Subject"], message["To"], message.get_content().strip()) == ("你好", "a@y.cn, b@y.cn", "正文")
        with pytest.raises(PortError, match="535"):
            use("email", "send_mail", account | {"email_password": "no"}, **letter)
        with pytest.raises(PortError, match="cannot be used"):
            use("email", "send_mail", account, **letter | {"send_to": "a@y.cn\nBcc: z@z.cn"})
        with pytest.raises(PortError, match="encrypt_method should be one of"):
            use("email", "send_mail", account | {"encrypt_method": "maybe"}, **letter)
    finally:
        server.shutdown()
        server.server_close()


def test_sql_over_a_file(sqlite_database):
    folder = sqlite_database / "databases"
    folder.mkdir()
    with sqlite3.connect(folder / "shop.db") as made:
        made.execute("CREATE TABLE t (name TEXT, price REAL)")
        made.executemany("INSERT INTO t VALUES (?, ?)", [("茶", 12.5), ("a|b", None)])
    uri = {"db_uri": "sqlite:///shop.db"}
    assert json.loads(use("database", "sql_execute", uri, query="SELECT * FROM t WHERE name LIKE '%茶%'")) == {
        "result": [{"name": "茶", "price": 12.5}]}
    assert use("database", "sql_execute", uri | {"format": "csv"}, query="SELECT name FROM t") == "name\n茶\na|b\n"
    assert use("database", "sql_execute", uri | {"format": "md"}, query="SELECT name FROM t").endswith("| a\\|b |")
    assert use("database", "sql_execute", uri, query="INSERT INTO t VALUES ('x:y', 1)") == "Done: 1 rows changed."
    with pytest.raises(PortError, match="readonly"):
        use("database", "sql_execute", uri | {"read_only": True}, query="DELETE FROM t")
    for query in ("ATTACH DATABASE '../db/sparrow.db' AS x", "SELECT * FROM nothing", ""):
        with pytest.raises(PortError):
            use("database", "sql_execute", uri, query=query)
    for place in ("sqlite:///../db/sparrow.db", "sqlite:////etc/passwd", "sqlite://", "oracle://x/y", "nonsense",
                  "postgresql:///x?host=/run", "postgresql://127.0.0.1/x"):
        with pytest.raises(PortError):
            use("database", "sql_execute", {"db_uri": place}, query="SELECT 1")


def test_sql_over_postgresql(postgres_server, monkeypatch):
    import sqlalchemy as sa

    from tests.conftest import free_port

    url = sa.make_url(postgres_server.new_database())
    folder, port = url.query["host"], free_port()

    class Bridge(socketserver.BaseRequestHandler):  # the test's server listens on a socket file only
        def handle(self):
            import socket

            other = socket.socket(socket.AF_UNIX)
            other.connect(f"{folder}/.s.PGSQL.{url.query.get('port') or url.port or 5432}")

            def copy(source, target):
                with contextlib.suppress(OSError):  # either side may have hung up
                    while data := source.recv(65536):
                        target.sendall(data)
                target.close()

            threading.Thread(target=copy, args=(other, self.request), daemon=True).start()
            copy(self.request, other)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", port), Bridge)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "localhost")
    place = {"db_uri": f"postgresql://{url.username}:{url.password or ''}@localhost:{port}/{url.database}"}
    try:
        assert use("database", "sql_execute", place, query="CREATE TABLE t (a int)").startswith("Done")
        assert use("database", "sql_execute", place, query="INSERT INTO t VALUES (1), (2)") == "Done: 2 rows changed."
        assert json.loads(use("database", "sql_execute", place, query="SELECT a % 2 AS m FROM t ORDER BY a"))[
            "result"] == [{"m": 1}, {"m": 0}]
        with pytest.raises(PortError, match="read-only"):
            use("database", "sql_execute", place | {"read_only": True}, query="DELETE FROM t")
    finally:
        server.shutdown()
        server.server_close()


def test_sql_over_mysql(monkeypatch):
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "localhost")
    with mariadb.server() as address:
        place = {"db_uri": address}
        assert use("database", "sql_execute", place, query="CREATE TABLE t (name text)").startswith("Done")
        assert use("database", "sql_execute", place, query="INSERT INTO t VALUES ('茶%'), ('a:b')") == \
            "Done: 2 rows changed."
        assert json.loads(use("database", "sql_execute", {"db_uri": address.replace("mysql", "mariadb")},
                              query="SELECT name FROM t WHERE name LIKE '%\\%'"))["result"] == [{"name": "茶%"}]
        with pytest.raises(PortError, match="READ ONLY"):
            use("database", "sql_execute", place | {"read_only": True}, query="DELETE FROM t")
        cancel, begun = Cancel(), time.monotonic()
        threading.Timer(0.5, cancel.cancel).start()
        with pytest.raises(PortError, match="interrupted"):
            use("database", "sql_execute", place, cancel, query="SELECT sleep(25)")
        assert time.monotonic() - begun < 20


def test_documents_are_read(service):
    from sparrow.apps import surroundings

    ref = ToolRef("builtin", "document", "read_file")
    found = list(surroundings.tools().invoke(ref, {"file": f"{service}/x.html"}, {}, Cancel()))
    assert "正文" in found[0].value
    with pytest.raises(PortError, match="must be a file"):
        list(surroundings.tools().invoke(ref, {"file": "/etc/passwd"}, {}, Cancel()))
