"""What a model server's refusal means, in words for people and in Dify's error classes."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sparrow import messages as m
from sparrow.providers.dial import WireError

_LIMIT = 600


def from_wire(provider: str, error: WireError) -> m.ModelConnectionError:
    """Turn a failure below HTTP into the model error."""
    return m.ModelConnectionError(f"[{provider}] {error}")


def from_status(provider: str, status: int, headers: dict[str, str], body: bytes, secret: str = "") -> m.ModelError:
    """Turn a reply that is not 2xx into the model error of its class. `secret` is blotted out of its text."""
    detail = reply_text(body)
    if len(secret) >= 8:
        detail = detail.replace(secret, "******")
    return of_kind(provider, status, detail, retry_after(headers))


def of_kind(provider: str, status: int, detail: str, wait: float | None = None) -> m.ModelError:
    """Make the error of a status with the server's own words."""
    said = f": {detail}" if detail else ""
    if status in (401, 403):
        return m.ModelAuthorizationError(
            f"[{provider}] Incorrect model credentials provided, please check and try again. (HTTP {status}{said})")
    if status == 429:
        return m.ModelRateLimitError(f"[{provider}] Rate limit reached (HTTP 429){said}", retry_after=wait)
    if status >= 500:
        return m.ModelServerUnavailableError(f"[{provider}] Server error (HTTP {status}){said}", retry_after=wait)
    if status == 404:
        return m.ModelBadRequestError(
            f"[{provider}] Not found (HTTP 404): check the address and the model's name{said}")
    if 300 <= status < 400:
        return m.ModelBadRequestError(
            f"[{provider}] The server redirects elsewhere (HTTP {status}); give its final address")
    return m.ModelBadRequestError(f"[{provider}] Bad request (HTTP {status}){said}")


def from_object(provider: str, error: Any) -> m.ModelError:
    """Turn an error object sent inside a stream, or with status 200, into the model error."""
    code = error.get("code") or error.get("status") if isinstance(error, dict) else None
    kind = str(error.get("type") or "") if isinstance(error, dict) else ""
    try:
        status = int(code)
    except (TypeError, ValueError):
        words = f"{code} {kind}".lower()
        status = (429 if "rate" in words or "overloaded" in words else
                  401 if "auth" in words or "api_key" in words or "permission" in words else
                  500 if "server" in words or "api_error" in words or "internal" in words else 400)
    return of_kind(provider, status, message_of(error))


def message_of(value: Any) -> str:
    """Return the words of an error object, whatever its shape."""
    for _ in range(4):
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, dict):
            value = next((value[k] for k in ("error", "message", "msg", "detail", "error_msg", "errors")
                          if value.get(k)), "")
        else:
            break
    return str(value)[:_LIMIT] if value else ""


def reply_text(body: bytes) -> str:
    """Return what a reply says: the message of a JSON error, the title of a page, or the text itself."""
    try:
        return message_of(msgspec.json.decode(body))
    except msgspec.DecodeError:
        pass
    text = body[:20_000].decode("utf-8", "replace").strip()
    if text[:1] == "<":
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S) or re.search(
            r"<h1[^>]*>(.*?)</h1>", text, re.I | re.S)
        words = re.sub(r"<[^>]+>|\s+", " ", title[1]).strip() if title else "a web page"
        return f"“{words[:200]}”"
    return re.sub(r"\s+", " ", text)[:_LIMIT]


def retry_after(headers: dict[str, str]) -> float | None:
    """Return the seconds a server asks to wait, from Retry-After (seconds or a date) or retry-after-ms."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        return max(0.0, float(headers["retry-after"]))
    except KeyError:
        return None
    except ValueError:
        from email.utils import parsedate_to_datetime

        from sparrow import clock

        try:
            return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - clock.now())
        except (ValueError, TypeError):
            return None
