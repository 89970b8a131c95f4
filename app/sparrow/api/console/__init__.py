"""The console's API: everything the admin's browser calls, under /console/api."""

from sparrow.api.auth import require_admin
from sparrow.api.web import Room

console = Room("console", "/console/api", guard=require_admin)
