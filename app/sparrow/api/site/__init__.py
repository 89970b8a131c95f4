"""The public page of an app: what its visitors' browsers call, under /api.

A visitor gets a pass for one app (`GET /passport`) and keeps it; it opens only what that visitor made. The routes
are those of the service API with the visitor in place of a key and a named user.
"""

from sparrow.api.service.room import ServiceRoom
from sparrow.api.site.visitor import require_pass
from sparrow.apps import attachment


class SiteRoom(ServiceRoom):
    """The service room's way to read requests, for callers who are known by their pass.

    Anybody gets one, so they may send what an app takes and no more.
    """

    knows_user = True
    limit = 4 << 20
    file_limit = (max(attachment.LIMITS.values()) + 1) << 20


site = SiteRoom("site", "/api", guard=require_pass)
