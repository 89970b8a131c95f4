"""Robots of group chats: Feishu, DingTalk, WeCom, signed where the group asks for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote, urlsplit

from sparrow import clock
from sparrow.tools.builtin import Provider, label
from sparrow.tools.builtin.web import post
from sparrow.tools.types import Parameter, Tool, Use, failure


def _address(base: str, given: Any, hosts: tuple[str, ...]) -> str:
    """Return the robot's address of its key or of its whole address, which must be the service's."""
    text = str(given).strip()
    if not text.startswith("https://"):
        return base + quote(text, safe="")
    if urlsplit(text).hostname not in hosts:
        raise failure(f"The robot's address must be at {' or '.join(hosts)}.")
    return text


def _send(url: str, body: dict[str, Any], use: Use, code: str) -> str:
    """Post a message; the services answer 200 with a code that is 0 when all is well."""
    text = post(url, body, use)
    try:
        answer = json.loads(text)
    except ValueError:
        raise failure(f"The robot did not answer as expected: {text[:200]}") from None
    if not isinstance(answer, dict) or answer.get(code) not in (0, None):
        raise failure(f"The robot refused the message: {text[:500]}")
    return "Text message sent successfully"


def _feishu(values: dict[str, Any], use: Use) -> str:
    url = _address("https://open.feishu.cn/open-apis/bot/v2/hook/", values["hook_key"],
                   ("open.feishu.cn", "open.larksuite.com"))
    body: dict[str, Any] = {"msg_type": "text", "content": {"text": values["content"]}}
    if secret := values.get("sign_secret"):
        stamp = str(int(clock.now()))
        # Feishu signs nothing, with the text as the key.
        body |= {"timestamp": stamp, "sign": _sign(f"{stamp}\n{secret}".encode(), b"")}
    return _send(url, body, use, "code")


def _wecom(values: dict[str, Any], use: Use) -> str:
    url = _address("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=", values["hook_key"],
                   ("qyapi.weixin.qq.com",))
    kind = "markdown" if values.get("message_type") == "markdown" else "text"
    return _send(url, {"msgtype": kind, kind: {"content": values["content"]}}, use, "errcode")


def _dingtalk(values: dict[str, Any], use: Use) -> str:
    url = _address("https://oapi.dingtalk.com/robot/send?access_token=", values["access_token"],
                   ("oapi.dingtalk.com",))
    if secret := values.get("sign_secret"):
        stamp = str(round(clock.now() * 1000))
        sign = _sign(str(secret).encode(), f"{stamp}\n{secret}".encode())
        url += f"&timestamp={stamp}&sign={quote(sign, safe='')}"
    return _send(url, {"msgtype": "text", "text": {"content": values["content"]}}, use, "errcode")


def _sign(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


_TEXT = Parameter("content", "The text to send", zh="要发送的内容")
_HOOK = Parameter("hook_key", "Key or address of the robot", "secret", form=True, zh="机器人的 key 或地址")
_SIGN = Parameter("sign_secret", "Secret for signing, if the group asks for it", "secret", required=False, form=True,
                  zh="签名密钥（如启用）")
_TOKEN = Parameter("access_token", "Token or address of the robot", "secret", form=True,
                   zh="机器人的 access_token 或地址")
_KIND = Parameter("message_type", "text or markdown", "select", required=False, default="text", form=True,
                  options=("text", "markdown"), zh="消息类型")
PROVIDERS = (
    Provider("feishu", label("Feishu", "飞书"), label("Messages to Feishu groups.", "向飞书群发消息。"), (
        Tool("feishu_group_bot", label("Feishu robot", "飞书机器人"), "Sends a text to a Feishu group.",
             (_TEXT, _HOOK, _SIGN), _feishu),), (_HOOK, _SIGN)),
    Provider("dingtalk", label("DingTalk", "钉钉"), label("Messages to DingTalk groups.", "向钉钉群发消息。"), (
        Tool("dingtalk_group_bot", label("DingTalk robot", "钉钉机器人"), "Sends a text to a DingTalk group.",
             (_TEXT, _TOKEN, _SIGN), _dingtalk),), (_TOKEN, _SIGN)),
    Provider("wecom", label("WeCom", "企业微信"), label("Messages to WeCom groups.", "向企业微信群发消息。"), (
        Tool("wecom_group_bot", label("WeCom robot", "企业微信机器人"), "Sends a text to a WeCom group.",
             (_TEXT, _HOOK, _KIND), _wecom),), (_HOOK,)),
)
