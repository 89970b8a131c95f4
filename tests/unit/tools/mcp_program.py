"""An MCP server made with the official SDK: over stdio, or as an ASGI application for the other transports."""

import os
import sys

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("fixture")


@server.tool()
def add(a: int, b: int = 1) -> str:
    """Add two numbers."""
    return f"{a} + {b} = {a + b}"


@server.tool()
def weather(city: str) -> dict[str, str]:
    """Tell the weather of a city."""
    return {"city": city, "sky": "晴"}


@server.tool()
def fail(reason: str) -> str:
    """Fail."""
    raise ToolError(reason)


@server.tool(name="who.am-i/now")
def who() -> str:
    """Tell what the environment says."""
    return f"{os.environ.get('FIXTURE', 'nobody')} {os.environ.get('SPARROW_DATA_DIR', 'unseen')}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--crash"]:
        sys.exit("the fixture will not start")
    server.run("stdio")
