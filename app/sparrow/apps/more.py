"""More like this: another text from the inputs of one that was written."""

from __future__ import annotations

from copy import deepcopy

from sqlalchemy.engine import Row

from sparrow.apps import prepared, run
from sparrow.apps.live import Live
from sparrow.apps.order import Order
from sparrow.apps.user import EndUser
from sparrow.errors import BadRequest, Forbidden

# Another text should differ.
_TEMPERATURE = 0.9


def like(app: Row, user: EndUser, message: Row, *, source: str, streaming: bool, base_url: str) -> Live:
    """Write another text for a message's inputs, if the app has the feature switched on; return its run."""
    if app.mode != "completion":
        raise BadRequest("App unavailable, please check your app configurations.", code="app_unavailable")
    definition = prepared.published(app)
    if not definition.feature("more_like_this"):
        raise Forbidden("More like this is switched off for this app.", code="app_more_like_this_disabled")
    content = deepcopy(definition.content)
    model = content.get("model")
    if isinstance(model, dict):
        model["completion_params"] = {**(model.get("completion_params") or {}), "temperature": _TEMPERATURE}
    return run.completion(Order(app, user, dict(message.inputs), query=message.query, files=message.files or [],
                                streaming=streaming, source=source, base_url=base_url, debug=True, content=content))
