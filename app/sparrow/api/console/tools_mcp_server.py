"""An app as an MCP server: switching it on, its secret address, a new one."""

from __future__ import annotations

import msgspec

from sparrow.api.console import console
from sparrow.api.web import OK, Result, base_url
from sparrow.apps import app as apps
from sparrow.apps import mcp_server

TAG = "tools"


class McpServer(msgspec.Struct):
    """An app's server. `server_url` is the whole secret address; empty fields mean that there is none yet."""

    app_id: str
    status: str
    server_code: str = ""
    server_url: str = ""
    description: str = ""
    parameters: dict[str, str] = {}
    tool_name: str = ""
    published: bool = False


class McpServerChange(msgspec.Struct):
    """How the app is described to clients; `parameters` describes its inputs by name."""

    description: str = ""
    parameters: dict[str, str] = {}
    status: str = "active"


@console.get("/apps/<app_id>/server", tag=TAG)
def get_mcp_server(app_id: str) -> McpServer:
    """Get an app's MCP server."""
    return _shown(app_id)


@console.post("/apps/<app_id>/server", tag=TAG)
def save_mcp_server(app_id: str, body: McpServerChange) -> McpServer:
    """Make an app an MCP server, change its description, or switch it off (`status` inactive)."""
    mcp_server.save(app_id, description=body.description, parameters=body.parameters,
                    enabled=body.status == "active")
    return _shown(app_id)


@console.post("/apps/<app_id>/server/refresh", tag=TAG)
def renew_mcp_server(app_id: str) -> McpServer:
    """Give the server a new address; the old one is dead at once."""
    apps.get(app_id)
    mcp_server.renew(app_id)
    return _shown(app_id)


@console.delete("/apps/<app_id>/server", tag=TAG)
def delete_mcp_server(app_id: str) -> Result:
    """End the server."""
    apps.get(app_id)
    mcp_server.delete(app_id)
    return OK


def _shown(app_id: str) -> McpServer:
    row, server = apps.get(app_id), mcp_server.get(app_id)
    published = row.published_id is not None
    if server is None:
        return McpServer(app_id, "inactive", published=published, tool_name=mcp_server.tool_name(row))
    code = mcp_server.code(server)
    return McpServer(app_id, "active" if server.enabled else "inactive", code,
                     f"{base_url()}/mcp/server/{code}/mcp", server.description, server.parameters or {},
                     mcp_server.tool_name(row), published)
