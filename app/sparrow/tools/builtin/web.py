"""Pages of the web, and posts to any address."""

from __future__ import annotations

import json
from typing import Any

from sparrow.engine.ports import HttpRequest
from sparrow.tools.builtin import Provider, label
from sparrow.tools.outbound import Client
from sparrow.tools.types import Parameter, Tool, Use, failure

_MAX_TEXT = 20_000


def _page(values: dict[str, Any], use: Use) -> str:
    headers = [("User-Agent", str(values["user_agent"]))] if values.get("user_agent") else []
    reply = Client().request(HttpRequest("GET", str(values["url"]), headers, read_timeout=30, max_text=5 << 20),
                             use.cancel)
    if reply.status >= 400:
        raise failure(f"The page answered {reply.status}.")
    kind = reply.headers.get("content-type", "")
    if "html" in kind or not kind:
        return readable(reply.content)[:_MAX_TEXT]
    if kind.startswith("text/") or "json" in kind or "xml" in kind:
        return reply.content.decode("utf-8", "replace")[:_MAX_TEXT]
    if use.extract is not None:
        return use.extract(reply.url.partition("?")[0].rpartition("/")[2] or "page", reply.content)[:_MAX_TEXT]
    raise failure(f"The page is not text but {kind}.")


def readable(content: bytes) -> str:
    """Return the text of an HTML page: its title, then the lines of its body without menus and scripts."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(content)
    for node in tree.css("script, style, noscript, template, svg, nav, footer"):
        node.decompose()
    title = tree.css_first("title")
    text = tree.body.text(separator="\n") if tree.body else ""
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    if title is not None and title.text().strip() and title.text().strip() not in lines[:1]:
        lines.insert(0, f"# {title.text().strip()}\n")
    return "\n".join(lines)


def _webhook(values: dict[str, Any], use: Use) -> str:
    body = values["body"]
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            body = {"text": body}
    return post(str(values["url"]), body, use, str(values.get("secret") or ""))


def post(url: str, body: Any, use: Use, bearer: str = "") -> str:
    """Post JSON; return the reply's text. Raise PortError for a status of 300 or above."""
    headers = [("Content-Type", "application/json")]
    if bearer:
        headers.append(("Authorization", f"Bearer {bearer}"))
    reply = Client().request(HttpRequest("POST", url, headers, body=json.dumps(body, ensure_ascii=False).encode(),
                                         read_timeout=30), use.cancel)
    text = reply.content.decode("utf-8", "replace")[:2000]
    if reply.status >= 300:
        raise failure(f"It answered {reply.status}: {text}")
    return text


PROVIDERS = (
    Provider("webscraper", label("Web page", "网页抓取"), label("Reads a web page.", "读取网页。"), (
        Tool("webscraper", label("Web page", "网页抓取"), "Fetches a web page and returns its text.", (
            Parameter("url", "The address of the page", zh="网页地址"),
            Parameter("user_agent", "What the box calls itself", required=False, form=True, zh="User-Agent"),
            ), _page),)),
    Provider("webhook", label("Webhook", "Webhook"), label("Posts JSON to an address.", "向地址发送 JSON。"), (
        Tool("post", label("Post to a webhook", "发送到 Webhook"), "Posts JSON to an address.", (
            Parameter("body", "JSON, or a text", zh="JSON 或文本"),
            Parameter("url", "The address", form=True, zh="地址"),
            Parameter("secret", "Bearer token", "secret", required=False, form=True, zh="Bearer 令牌")), _webhook),),
        (Parameter("url", "The address", required=False, zh="地址"),
         Parameter("secret", "Bearer token", "secret", required=False, zh="Bearer 令牌"))),
)
