"""Addresses that start workflows: webhooks. Whoever knows the address may call it."""

from __future__ import annotations

from flask import Blueprint, request

from sparrow.api import web
from sparrow.apps import trigger
from sparrow.errors import SparrowError

blueprint = Blueprint("triggers", __name__, url_prefix="/triggers")


@blueprint.route("/webhook/<identity>", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
def webhook(identity: str):
    """Start the workflow behind an address; the reply is the one its node has."""
    if (request.content_length or 0) > trigger.MAX_BODY:
        raise SparrowError("The webhook's body is larger than 10 MiB.", code="request_entity_too_large", status=413)
    request.max_content_length = trigger.MAX_BODY
    fields = request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded")
    status, reply = trigger.call_webhook(identity, trigger.Call(
        request.method, request.mimetype, {name.lower(): value for name, value in request.headers.items()},
        request.args.to_dict(), b"" if fields else request.get_data(), request.form.to_dict(),
        {name: (file.filename or name, file.read(), file.mimetype) for name, file in request.files.items()}))
    return web.reply(reply, status)
