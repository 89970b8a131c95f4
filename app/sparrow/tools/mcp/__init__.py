"""The MCP client: lists and calls the tools of Model Context Protocol servers."""
