"""The job of a crawl: knowledge says how a site is read, and the list of outbound calls what may be asked."""

from __future__ import annotations

from typing import Any

from sparrow.knowledge import crawl
from sparrow.tools.outbound import Client


def run_job(payload: dict[str, Any], context: Any) -> None:
    """Crawl the site a job names (sparrow.jobs.kinds)."""
    crawl.run(payload["crawl_id"], Client(), progressed=context.progressed)
