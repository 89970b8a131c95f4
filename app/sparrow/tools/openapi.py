"""OpenAPI 3 and Swagger 2 documents as tools: which operations there are, what they take, how they are called."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin

from sparrow.errors import BadRequest
from sparrow.tools.types import Parameter

MAX_BYTES = 2 << 20
MAX_OPERATIONS = 500
_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_BODIES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
_DEPTH, _NODES = 12, 3000


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter and where its value goes: path, query, header, cookie, body (a property) or whole (the body)."""

    place: str
    parameter: Parameter
    explode: bool = True


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a document, as a tool. `body` is the media type of the request's body, "" for none."""

    name: str
    summary: str
    method: str
    url: str
    fields: tuple[Field, ...]
    body: str = ""
    fixed: tuple[tuple[str, Any], ...] = field(default=())

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, each name once."""
        return tuple({item.parameter.name: item.parameter for item in reversed(self.fields)}.values())[::-1]


@dataclass(frozen=True, slots=True)
class Document:
    """What a document offers. `warnings` name what was left out."""

    title: str
    description: str
    kind: str
    base_url: str
    operations: tuple[Operation, ...]
    warnings: tuple[str, ...] = ()


def parse(text: str, *, base_url: str = "", source: str = "") -> Document:
    """Read a document in JSON or YAML; raise BadRequest with the place at fault.

    `base_url` replaces the document's servers; `source` is the address it came from, for relative ones.
    """
    root = _load(text)
    if not isinstance(root, dict):
        raise _bad("the document is not an object")
    if str(root.get("swagger") or "").startswith("2"):
        kind, base = "swagger", _base_of_swagger(root, source)
    elif str(root.get("openapi") or "").startswith("3"):
        kind, base = "openapi", _base_of_openapi(root, source)
    else:
        raise _bad("neither `openapi: 3.…` nor `swagger: \"2.0\"` is said at its top")
    base = (base_url.strip() or base).rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise _bad("servers[0].url is not a full address (http://… or https://…); enter the base URL beside it")
    paths = root.get("paths")
    if not isinstance(paths, dict) or not paths:
        raise _bad("paths: there are none")
    info = root.get("info") if isinstance(root.get("info"), dict) else {}
    reader = _Reader(root, kind, base)
    for path, item in paths.items():
        reader.path(str(path), item)
    if not reader.operations:
        raise _bad("paths: there is no operation that can be called")
    return Document(str(info.get("title") or ""), str(info.get("description") or ""), kind, base,
                    tuple(reader.operations.values()), tuple(reader.warnings))


def _bad(text: str) -> BadRequest:
    return BadRequest(f"schema: {text}", params="schema")


def _load(text: str) -> Any:
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise _bad(f"the document is larger than {MAX_BYTES >> 20} MB")
    text = text.strip()
    try:
        if text[:1] in ("{", "["):
            return json.loads(text)
        import yaml

        # Dates and the like stay text: nothing in a document of an API is a date.
        base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        loader = type("Loader", (base,), {"yaml_implicit_resolvers": {
            key: [item for item in items if "timestamp" not in item[0]]
            for key, items in base.yaml_implicit_resolvers.items()}})
        return yaml.load(text, Loader=loader)
    except RecursionError:
        raise _bad("the document is nested too deep") from None
    except Exception as error:  # ValueError, yaml.YAMLError, and what broken YAML makes of constructors
        raise _bad(f"the document is neither JSON nor YAML: {str(error)[:300]}") from None


def _base_of_openapi(root: dict[str, Any], source: str) -> str:
    servers = root.get("servers")
    server = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
    url = str(server.get("url") or "/")
    variables = server.get("variables") if isinstance(server.get("variables"), dict) else {}
    for name, rule in variables.items():
        url = url.replace(f"{{{name}}}", str((rule if isinstance(rule, dict) else {}).get("default") or ""))
    return urljoin(source, url) if source else url


def _base_of_swagger(root: dict[str, Any], source: str) -> str:
    schemes = root.get("schemes")
    scheme = "https" if not isinstance(schemes, list) or not schemes or "https" in schemes else str(schemes[0])
    path = str(root.get("basePath") or "")
    if root.get("host"):
        return f"{scheme}://{root['host']}{path}"
    return urljoin(source, path or "/") if source else path


class _Reader:
    """Collects the operations of one document."""

    def __init__(self, root: dict[str, Any], kind: str, base: str):
        self.root, self.kind, self.base = root, kind, base
        self.operations: dict[str, Operation] = {}
        self.warnings: list[str] = []
        self.budget = 0

    def path(self, path: str, item: Any) -> None:
        """Read the operations of one path."""
        item = self.resolve(item)
        if not isinstance(item, dict):
            return
        shared = item.get("parameters")
        for method in _METHODS:
            operation = item.get(method)
            if isinstance(operation, dict):
                if len(self.operations) >= MAX_OPERATIONS:
                    raise _bad(f"there are more than {MAX_OPERATIONS} operations")
                self.operation(path, method, operation, shared if isinstance(shared, list) else [])

    def operation(self, path: str, method: str, given: dict[str, Any], shared: list[Any]) -> None:
        """Read one operation."""
        self.budget = _NODES
        name = str(given.get("operationId") or "").strip()
        if not name:  # as Dify names them, so that its app files find them
            name = f"{re.sub(r'[^a-zA-Z0-9_-]', '', path.removeprefix('/')) or 'root'}_{method}"
        if name in self.operations:
            self.warnings.append(f"{method.upper()} {path}: another operation has the name {name}; it is left out.")
            return
        own = given.get("parameters")
        merged: dict[tuple[str, str], dict[str, Any]] = {}
        for item in [*shared, *(own if isinstance(own, list) else [])]:
            item = self.resolve(item)
            if isinstance(item, dict) and isinstance(item.get("name"), str):
                merged[item["name"], str(item.get("in"))] = item
        fields: list[Field] = []
        media = ""
        for item in merged.values():
            where = item.get("in")
            if where in ("path", "query", "header", "cookie"):
                fields.append(Field(where, self.parameter(item, item.get("schema") or item),
                                    item.get("explode", item.get("collectionFormat", "multi") == "multi") is not False))
            elif where == "body":
                media = "application/json"
                fields += self.body(item.get("schema"), item.get("required") is True, item)
            elif where == "formData":
                media = self.form_media(given)
                fields.append(Field("body", self.parameter(item, item)))
        body = self.resolve(given.get("requestBody"))
        if isinstance(body, dict) and isinstance(body.get("content"), dict) and body["content"]:
            content = body["content"]
            media = next((kind for kind in _BODIES if kind in content), "")
            if not media:
                media = next((kind for kind in content if kind.endswith("+json")), "")
            if media:
                shape = self.resolve(content[media])
                fields += self.body(shape.get("schema") if isinstance(shape, dict) else None,
                                    body.get("required") is True, body)
            else:
                self.warnings.append(f"{method.upper()} {path}: bodies of type {', '.join(map(str, content))} cannot "
                                     "be sent; it is left out.")
                return
        summary = " ".join(str(given.get(key) or "").strip() for key in ("summary", "description")).strip()
        self.operations[name] = Operation(name, summary[:1000] or f"{method.upper()} {path}", method.upper(),
                                          self.base + "/" + path.lstrip("/"), tuple(fields), media)

    def form_media(self, given: dict[str, Any]) -> str:
        """Return how Swagger 2 wants a form sent."""
        kinds = given.get("consumes") or self.root.get("consumes")
        return "multipart/form-data" if isinstance(kinds, list) and "multipart/form-data" in kinds \
            else "application/x-www-form-urlencoded"

    def body(self, schema: Any, required: bool, described: dict[str, Any]) -> list[Field]:
        """Return the fields of a body: its properties, or the whole of one that is no object."""
        schema = self.schema(schema)
        properties = schema.get("properties")
        if isinstance(properties, dict) and properties:
            needed = schema.get("required") if isinstance(schema.get("required"), list) else []
            return [Field("body", self.parameter({"name": str(name), "required": name in needed}, rule))
                    for name, rule in properties.items()]
        return [Field("whole", self.parameter(
            {"name": "body", "required": required, "description": described.get("description")}, schema))]

    def parameter(self, item: dict[str, Any], schema: Any) -> Parameter:
        """Make a parameter."""
        schema = self.schema(schema)
        for key in ("name", "in", "explode", "style", "collectionFormat", "allowEmptyValue"):
            if schema is not item:
                break
            schema.pop(key, None)
        if not isinstance(schema.get("required", []), list):
            schema.pop("required")
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "string")
        if kind == "file" or schema.get("format") == "binary":
            kind = "file"
        kind = {"integer": "number"}.get(str(kind), str(kind or "string"))
        enum = schema.get("enum")
        options = tuple(map(str, enum)) if kind == "string" and isinstance(enum, list) else ()
        return Parameter(str(item["name"]), str(item.get("description") or schema.get("description") or "")[:1000],
                         "select" if options else kind, item.get("required") is True, schema.get("default"),
                         options=options, schema=schema)

    def resolve(self, value: Any) -> Any:
        """Follow `$ref` within the document."""
        for _ in range(20):
            if not (isinstance(value, dict) and isinstance(value.get("$ref"), str)):
                return value
            reference = value["$ref"]
            if not reference.startswith("#/"):
                raise _bad(f"$ref {reference[:200]}: only references within the document are followed")
            found: Any = self.root
            for step in reference[2:].split("/"):
                step = step.replace("~1", "/").replace("~0", "~")
                found = found.get(step) if isinstance(found, dict) else None
            if found is None:
                raise _bad(f"$ref {reference[:200]} leads nowhere")
            value = found
        raise _bad("a $ref leads in a circle")

    def schema(self, value: Any, depth: int = 0) -> dict[str, Any]:
        """Return a JSON schema with its references filled in, cut where it is too deep or too large to show."""
        value = self.resolve(value)
        self.budget -= 1
        if not isinstance(value, dict) or depth > _DEPTH or self.budget < 0:
            return {}
        found: dict[str, Any] = {}
        for part in value.get("allOf") if isinstance(value.get("allOf"), list) else []:
            one = self.schema(part, depth + 1)
            merged = {**found.get("properties", {}), **one.get("properties", {})}
            needed = [*found.get("required", []), *(one.get("required") or [])]
            found |= one
            if merged:
                found["properties"] = merged
            if needed:
                found["required"] = list(dict.fromkeys(needed))
        for key in ("type", "format", "description", "enum", "default", "required", "minimum", "maximum", "minLength",
                    "maxLength", "pattern", "minItems", "maxItems", "const", "title"):
            if key in value and not (key == "required" and found.get("required")):
                found[key] = value[key]
        if value.get("nullable") is True and isinstance(found.get("type"), str):
            found["type"] = [found["type"], "null"]
        if isinstance(value.get("properties"), dict):
            found["properties"] = {**found.get("properties", {}), **{
                str(name): self.schema(rule, depth + 1) for name, rule in value["properties"].items()}}
            found.setdefault("type", "object")
        if "items" in value:
            found["items"] = self.schema(value["items"], depth + 1)
        for key in ("oneOf", "anyOf"):
            if isinstance(value.get(key), list):
                found[key] = [self.schema(item, depth + 1) for item in value[key]]
        if isinstance(value.get("additionalProperties"), dict):
            found["additionalProperties"] = self.schema(value["additionalProperties"], depth + 1)
        return found


def path_of(url: str, values: dict[str, Any]) -> str:
    """Return an address with its `{name}` slots filled in; a slot cannot climb out of its place."""
    def fill(match: re.Match[str]) -> str:
        name = match[1]
        text = str(values.get(name, ""))
        # "." and ".." would be taken for steps of the path.
        return quote(text, safe="").replace(".", "%2E") if set(text) <= {"."} else quote(text, safe="")

    return re.sub(r"\{([^{}]+)\}", fill, url)
