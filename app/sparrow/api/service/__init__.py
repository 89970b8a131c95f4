"""The service API under /v1: what Dify's clients call, with keys of apps or of the knowledge bases."""

from sparrow.api.service.room import ServiceRoom
from sparrow.api.service.who import require_key

service = ServiceRoom("service", "/v1", guard=require_key)
