"""The built-in tools, under Dify's provider and tool names where it has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import urlsplit

from sparrow import clock
from sparrow.engine.ports import Cancel, CodeLimits, HttpRequest, PortError
from sparrow.tools.calculator import calculate
from sparrow.tools.outbound import Client

FORMAT = "%Y-%m-%d %H:%M:%S"
Run = Callable[[dict[str, Any], Cancel], str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a tool; `form` fields are set by the app's author, the others by the model."""

    name: str
    description: str
    type: str = "string"
    required: bool = True
    default: Any = None
    form: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """A built-in tool."""

    provider: str
    name: str
    en: str
    zh: str
    description: str
    parameters: tuple[Parameter, ...]
    run: Run


def _zone(name: str | None) -> tzinfo:
    from zoneinfo import ZoneInfo

    if not name or name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise PortError(f"Unknown time zone: {name}", "ToolInvokeError") from None


def _now(values: dict[str, Any], cancel: Cancel) -> str:
    moment = datetime.fromtimestamp(clock.now(), _zone(values.get("timezone")))
    return moment.strftime(values.get("format") or f"{FORMAT} %Z")


def _weekday(values: dict[str, Any], cancel: Cancel) -> str:
    try:
        day = datetime(int(values["year"]), int(values["month"]), int(values["day"]))
        return f"{day.strftime('%B')} {day.day}, {day.year} is {day.strftime('%A')}."
    except (ValueError, TypeError, KeyError):
        raise PortError("There is no such day.", "ToolInvokeError") from None


def _convert(values: dict[str, Any], cancel: Cancel) -> str:
    try:
        moment = datetime.strptime(str(values["current_time"]), FORMAT)
    except ValueError:
        raise PortError(f"The time must look like {FORMAT}.", "ToolInvokeError") from None
    moment = moment.replace(tzinfo=_zone(values.get("current_timezone")))
    return moment.astimezone(_zone(values.get("target_timezone"))).strftime(FORMAT)


def _calculate(values: dict[str, Any], cancel: Cancel) -> str:
    try:
        return str(calculate(str(values["expression"])))
    except ValueError as error:
        raise PortError(str(error), "ToolInvokeError") from error


def _code(values: dict[str, Any], cancel: Cancel) -> str:
    from sparrow.sandbox.port import CodeExecutionError, Port

    language = "javascript" if values.get("language") == "javascript" else "python3"
    try:
        found = Port().run(language, str(values["code"]), {}, CodeLimits(), cancel)
    except CodeExecutionError as error:
        raise PortError(str(error), error.error_type) from error
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _page(values: dict[str, Any], cancel: Cancel) -> str:
    reply = Client().request(HttpRequest("GET", str(values["url"]), read_timeout=30), cancel)
    if reply.status >= 400:
        raise PortError(f"The page answered {reply.status}.", "ToolInvokeError")
    text = reply.content.decode("utf-8", "replace")
    if "html" in reply.headers.get("content-type", ""):
        from selectolax.lexbor import LexborHTMLParser

        tree = LexborHTMLParser(text)
        for node in tree.css("script, style, noscript, nav, footer"):
            node.decompose()
        text = "\n".join(line for line in map(str.strip, (tree.body.text("\n") if tree.body else "").splitlines())
                         if line)
    return text[:20_000]


def _json(values: dict[str, Any], cancel: Cancel) -> str:
    try:
        value: Any = json.loads(values["content"])
        path = str(values.get("query") or "").replace("[", ".").replace("]", "").strip("$.")
        for step in filter(None, path.split(".")):
            value = value[int(step)] if isinstance(value, list) else value[step]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise PortError(f"Not found in the JSON: {error}", "ToolInvokeError") from error
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _post(url: str, body: Any, cancel: Cancel, hosts: tuple[str, ...] = ()) -> str:
    if hosts and urlsplit(url).hostname not in hosts:
        raise PortError(f"The robot's address must be one of {', '.join(hosts)}.", "ToolInvokeError")
    reply = Client().request(HttpRequest("POST", url, [("Content-Type", "application/json")],
                                         body=json.dumps(body, ensure_ascii=False).encode(), read_timeout=30), cancel)
    text = reply.content.decode("utf-8", "replace")[:2000]
    if reply.status >= 300:
        raise PortError(f"It answered {reply.status}: {text}", "ToolInvokeError")
    return text


def _key(base: str, value: str) -> str:
    return value if value.startswith("https://") else base + value


def _feishu(values: dict[str, Any], cancel: Cancel) -> str:
    url = _key("https://open.feishu.cn/open-apis/bot/v2/hook/", str(values["hook_key"]))
    return _post(url, {"msg_type": "text", "content": {"text": values["content"]}}, cancel,
                 ("open.feishu.cn", "open.larksuite.com"))


def _wecom(values: dict[str, Any], cancel: Cancel) -> str:
    url = _key("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=", str(values["hook_key"]))
    return _post(url, {"msgtype": "text", "text": {"content": values["content"]}}, cancel, ("qyapi.weixin.qq.com",))


def _dingtalk(values: dict[str, Any], cancel: Cancel) -> str:
    import base64
    import hashlib
    import hmac
    from urllib.parse import quote

    url = f"https://oapi.dingtalk.com/robot/send?access_token={quote(str(values['access_token']))}"
    if secret := values.get("sign_secret"):
        stamp = str(round(clock.now() * 1000))
        sign = hmac.new(str(secret).encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
        url += f"&timestamp={stamp}&sign={quote(base64.b64encode(sign), safe='')}"
    return _post(url, {"msgtype": "text", "text": {"content": values["content"]}}, cancel)


def _webhook(values: dict[str, Any], cancel: Cancel) -> str:
    try:
        body = json.loads(values["body"])
    except ValueError:
        body = {"text": values["body"]}
    return _post(str(values["url"]), body, cancel)


_TEXT = Parameter("content", "The text to send")
_TOOLS = (
    Tool("time", "current_time", "Current time", "当前时间", "Tells the current date and time.", (
        Parameter("format", "strftime format", required=False, default=f"{FORMAT} %Z", form=True),
        Parameter("timezone", "IANA name of the time zone", required=False, default="UTC", form=True)), _now),
    Tool("time", "weekday", "Weekday", "星期计算", "Tells which weekday a date is.", (
        Parameter("year", "Year", "number"), Parameter("month", "Month, 1 to 12", "number"),
        Parameter("day", "Day of the month", "number")), _weekday),
    Tool("time", "timezone_conversion", "Convert time zone", "时区转换", "Converts a time between time zones.", (
        Parameter("current_time", f"The time, as {FORMAT}"), Parameter("current_timezone", "Its time zone"),
        Parameter("target_timezone", "The time zone wanted")), _convert),
    Tool("maths", "eval_expression", "Calculator", "计算器", "Calculates an arithmetic expression.",
         (Parameter("expression", "The expression, such as (2 + 3) * sqrt(2)"),), _calculate),
    Tool("code", "simple_code", "Code interpreter", "代码解释器", "Runs code that defines main() in a sandbox.", (
        Parameter("language", "python3 or javascript", required=False, default="python3"),
        Parameter("code", "Code that defines a function main without parameters")), _code),
    Tool("webscraper", "webscraper", "Web page", "网页抓取", "Fetches a web page and returns its text.",
         (Parameter("url", "The address of the page"),), _page),
    Tool("json_process", "parse", "JSON", "JSON 解析", "Takes a value out of a JSON text.", (
        Parameter("content", "The JSON text"),
        Parameter("query", "Path such as items[0].name", required=False)), _json),
    Tool("feishu", "feishu_group_bot", "Feishu robot", "飞书机器人", "Sends a text to a Feishu group.", (
        _TEXT, Parameter("hook_key", "Key or address of the robot", form=True)), _feishu),
    Tool("wecom", "wecom_group_bot", "WeCom robot", "企业微信机器人", "Sends a text to a WeCom group.", (
        _TEXT, Parameter("hook_key", "Key or address of the robot", form=True)), _wecom),
    Tool("dingtalk", "dingtalk_group_bot", "DingTalk robot", "钉钉机器人", "Sends a text to a DingTalk group.", (
        _TEXT, Parameter("access_token", "Token of the robot", form=True),
        Parameter("sign_secret", "Secret for signing", required=False, form=True)), _dingtalk),
    Tool("webhook", "post", "Webhook", "Webhook", "Posts JSON to an address.", (
        Parameter("body", "JSON, or a text"), Parameter("url", "The address", form=True)), _webhook),
)
TOOLS = {(tool.provider, tool.name): tool for tool in _TOOLS}
