"""The service API under /v1: what Dify's clients call, with keys of apps or of the knowledge bases."""

from flask import Response, request

from sparrow.api.service.room import ServiceRoom
from sparrow.api.service.who import require_key

service = ServiceRoom("service", "/v1", guard=require_key)


@service.blueprint.after_request
def allow_every_page(response: Response) -> Response:
    """Let pages of other sites call: what opens the API is the key in a header, never a cookie."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    if request.method == "OPTIONS":
        # Whatever headers a page asks for: OpenAI's client adds its own, and a `*` would not cover the key.
        response.headers["Access-Control-Allow-Headers"] = request.headers.get(
            "Access-Control-Request-Headers", "Authorization, Content-Type, X-Trace-Id")
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
    response.headers["Access-Control-Expose-Headers"] = "X-Conversation-Id, Retry-After"
    return response
