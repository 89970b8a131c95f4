"""The public page of an app: what its visitors' browsers call, under /api.

A visitor gets a pass for one app (`GET /passport`) and keeps it; it opens only what that visitor made. The routes
are those of the service API with the visitor in place of a key and a named user.
"""

from sparrow.api.service.room import ServiceRoom
from sparrow.api.site.visitor import require_pass


class SiteRoom(ServiceRoom):
    """The service room's way to read requests, for callers who are known by their pass."""

    knows_user = True


site = SiteRoom("site", "/api", guard=require_pass)
