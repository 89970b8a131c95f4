"""What apps use of the other rooms, in one place: models, knowledge, tools, the sandbox."""

from __future__ import annotations


class Here:
    """What this box has, as `dsl.review` asks for it."""

    def provider(self, provider: str) -> bool:
        """Tell whether a model provider is known and has credentials."""
        from sparrow.providers import catalog

        native = catalog.native_id(provider)
        return native is not None and bool(hub().source.credentials(native))

    def model(self, provider: str, name: str) -> bool:
        """Tell whether the provider is known to offer a model (its own entry or the preset's)."""
        from sparrow.providers import catalog

        native = catalog.native_id(provider)
        return native is not None and (hub().source.model(native, "llm", name) is not None
                                       or catalog.preset_model(native, "llm", name) is not None)

    def tool(self, provider_type: str, provider_id: str, tool_name: str, provider_name: str = "") -> bool:
        """Tell whether a tool exists."""
        from sparrow.engine.ports import PortError, ToolRef
        from sparrow.errors import SparrowError

        try:
            tools().describe(ToolRef(provider_type, provider_id, tool_name, provider_name))
        except (PortError, SparrowError):
            return False
        return True

    def dataset(self, dataset_id: str) -> bool:
        """Tell whether a knowledge base exists."""
        import sqlalchemy as sa

        from sparrow.storage import db
        from sparrow.storage.tables.knowledge import datasets

        with db.read() as tx:
            return tx.execute(sa.select(datasets.c.id).where(datasets.c.id == dataset_id)).first() is not None


def hub():
    """Return the one way to every model."""
    from sparrow.providers.store import hub as shared

    return shared()


def knowledge(base: str = ""):
    """Return the engine's port to the knowledge bases; None while that room is not there.

    `base` is the box's address as the client knows it: addresses of pictures begin with it.
    """
    from sparrow.apps import filebox

    try:
        from sparrow.knowledge import port
    except ImportError:
        return None
    return port.Port(http(), lambda file_id: base + filebox.signed_path(file_id))


def tools(files=None):
    """Return the engine's port to tools; `files` is the run's port to files, for tools that read or make some."""
    from sparrow.apps import workflow_tool
    from sparrow.tools import port

    return port.Port(files=files, workflows=workflow_tool.Runner(), extract=extract)


def http():
    """Return the engine's port to the outside, behind the allow/deny list."""
    from sparrow.tools.outbound import Client

    return Client()


def post_json(address: str, body: dict, headers: dict[str, str], timeout: float) -> bytes:
    """Post JSON to an admin's service and return the reply's bytes; raise BadRequest."""
    import msgspec

    from sparrow.engine.ports import Cancel, HttpRequest, PortError
    from sparrow.errors import BadRequest

    fields = [("Content-Type", "application/json"), *headers.items()]
    try:
        reply = http().request(HttpRequest("POST", address, fields, body=msgspec.json.encode(body),
                                           connect_timeout=timeout, read_timeout=timeout), Cancel())
    except PortError as error:
        raise BadRequest(f"{address} cannot be reached: {error}") from error
    if reply.status >= 300:
        raise BadRequest(f"{address} answered {reply.status}.")
    return reply.content


def extract(name: str, content: bytes) -> str:
    """Return the text of a document; raise PortError."""
    from sparrow.engine.ports import PortError
    from sparrow.knowledge import parse

    try:
        if name.lower().endswith(".docx"):  # paragraph by paragraph, as Dify's reader has it
            return "\n".join(block.text + "\n" * (block.kind == "table") for block in parse.blocks(name, content))
        return parse.text(name, content)
    except Exception as error:
        raise PortError(str(error), type(error).__name__) from error


def embed(provider: str, model: str, texts: list[str]):
    """Return the vectors of texts by a model; without a name, by the box's own one."""
    from sparrow.knowledge import embed as room

    return room.embed(provider, model, texts)


def flagged(text: str) -> bool:
    """Ask the provider's moderation model about a text."""
    from sparrow.providers import speech

    ref = hub().default("moderation")
    return ref is not None and bool(speech.moderate(hub(), ref, [text])[0])


def get(address: str, limit: int) -> bytes:
    """Return what an address holds, at most `limit` bytes; raise BadRequest."""
    from sparrow.engine.ports import Cancel, HttpRequest, PortError
    from sparrow.errors import BadRequest

    client = http()
    if not address.startswith(("http://", "https://")):
        raise BadRequest("Invalid URL", params="yaml_url")
    # A page of GitHub that shows a file leads to the file itself.
    if address.startswith("https://github.com/") and "/blob/" in address:
        address = address.replace("https://github.com/", "https://raw.githubusercontent.com/").replace("/blob/", "/", 1)
    try:
        reply = client.request(HttpRequest("GET", address, read_timeout=10, max_text=limit, max_binary=limit), Cancel())
    except PortError as error:
        raise BadRequest(f"Error fetching YAML from URL: {error}", params="yaml_url") from error
    if reply.status >= 300:
        raise BadRequest(f"Error fetching YAML from URL: it answered {reply.status}", params="yaml_url")
    return reply.content


def sandbox():
    """Return the engine's port to the sandbox; None while that room is not there."""
    try:
        from sparrow.sandbox import port
    except ImportError:
        return None
    return port.Port()
