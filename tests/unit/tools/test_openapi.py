"""OpenAPI documents as tools: reading them, and calling their operations."""

import json

import pytest
import yaml

from sparrow.engine.ports import Cancel, PortError
from sparrow.errors import BadRequest
from sparrow.tools import openapi, openapi_call
from sparrow.tools.catalog import operation_tool
from sparrow.tools.types import Use

PETS = """
openapi: 3.1.0
info: {title: Pets, description: All pets}
servers: [{url: "https://{region}.example.com/v1", variables: {region: {default: eu}}}]
paths:
  /pets/{id}:
    parameters: [{$ref: "#/components/parameters/id"}]
    get:
      operationId: getPet
      summary: Get a pet
      parameters:
        - {name: tag, in: query, schema: {type: array, items: {type: string}}}
        - {name: lang, in: query, required: true, schema: {type: string, enum: [zh, en], default: zh}}
        - {name: X-Trace, in: header, schema: {type: string}}
        - {name: sid, in: cookie, schema: {type: string}}
  /pets:
    post:
      summary: Add a pet
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}
    delete:
      requestBody: {content: {application/json: {schema: {type: array, items: {type: integer}}}}}
components:
  parameters: {id: {name: id, in: path, required: true, schema: {type: integer}, description: Number}}
  schemas:
    Named: {type: object, required: [name], properties: {name: {type: string}}}
    Pet:
      allOf: [{$ref: "#/components/schemas/Named"}]
      type: object
      properties:
        born: {type: string, format: date, example: 2020-01-02}
        parent: {$ref: "#/components/schemas/Pet"}
        weight: {type: number, nullable: true}
"""


def operations(text=PETS, **kwargs):
    return {item.name: item for item in openapi.parse(text, **kwargs).operations}


def test_reads_operations_parameters_and_references():
    document = openapi.parse(PETS)
    assert (document.title, document.kind, document.base_url) == ("Pets", "openapi", "https://eu.example.com/v1")
    found = operations()
    assert list(found) == ["getPet", "pets_post", "pets_delete"]
    get = {p.name: p for p in found["getPet"].parameters}
    assert list(get) == ["id", "tag", "lang", "X-Trace", "sid"]
    assert (get["id"].required, get["id"].type, get["id"].description) == (True, "number", "Number")
    assert (get["lang"].options, get["lang"].default) == (("zh", "en"), "zh")
    post = {p.name: p for p in found["pets_post"].parameters}
    assert post["name"].required
    assert post["parent"].schema["properties"]["parent"]["type"] == "object"  # a circle, cut somewhere
    assert len(json.dumps(post["parent"].schema)) < 100_000
    assert [p.name for p in found["pets_delete"].parameters] == ["body"]
    assert operations(json.dumps(yaml.safe_load(PETS.replace("2020-01-02", "x"))))["getPet"] == found["getPet"]


def test_reads_swagger_2():
    found = openapi.parse(json.dumps({
        "swagger": "2.0", "info": {}, "host": "a.example", "basePath": "/x", "schemes": ["http"],
        "consumes": ["application/x-www-form-urlencoded"], "paths": {
            "/f": {"post": {"parameters": [{"name": "q", "in": "formData", "type": "string", "required": True}]}},
            "/b": {"put": {"operationId": "b", "parameters": [
                {"name": "any", "in": "body", "schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}]},
                   }}}))
    assert found.base_url == "http://a.example/x"
    first, second = found.operations
    assert (first.name, first.body, first.parameters[0].required) == (
        "f_post", "application/x-www-form-urlencoded", True)
    assert (second.body, second.parameters[0].name) == ("application/json", "n")


@pytest.mark.parametrize(("text", "words"), [
    ("", "not an object"), ("{", "neither JSON nor YAML"), ("a: [", "neither JSON nor YAML"), ("[]", "not an object"),
    ("openapi: 3.0.0", "servers"), ('{"openapi": "2"}', "neither `openapi"),
    ("openapi: 3.0.0\nservers: [{url: https://x}]\npaths: {}", "paths: there are none"),
    ("openapi: 3.0.0\nservers: [{url: https://x}]\npaths: {/a: {get: 1}}", "no operation"),
    ("openapi: 3.0.0\nservers: [{url: https://x}]\npaths: {/a: {$ref: '#/paths/~1a'}}", "circle"),
    ("openapi: 3.0.0\nservers: [{url: https://x}]\npaths: {/a: {$ref: 'http://y/z'}}", "within the document"),
    ("openapi: 3.0.0\nservers: [{url: https://x}]\npaths: {/a: {$ref: '#/nowhere'}}", "leads nowhere"),
    ("openapi: 3.0.0\nservers: [{url: file:///etc}]\npaths: {/a: {get: {}}}", "full address"),
    ("x" * (3 << 20), "larger than"), ("[" * 100_000, "neither JSON|nested"), ("- " * 50_000, "neither|nested|not an"),
])
def test_bad_documents_name_the_place(text, words):
    with pytest.raises(BadRequest, match=words):
        openapi.parse(text)


def test_aliases_do_not_explode():
    lines = ["a0: &a0 {type: object, properties: {x: {type: string}}}"]
    lines += [f"a{n}: &a{n} {{type: object, properties: {{l: *a{n - 1}, r: *a{n - 1}}}}}" for n in range(1, 40)]
    found = operations("openapi: 3.0.0\nservers: [{url: https://x}]\n" + "\n".join(lines) + """
paths: {/a: {post: {requestBody: {content: {application/json: {schema: *a39}}}}}}""")
    assert [p.name for p in found["a_post"].parameters] == ["l", "r"]


def call(base, operation_id, auth=None, text=PETS, **values):
    operation = operations(text, base_url=base)[operation_id]
    tool = operation_tool(operation, auth or {})
    return list(tool.run({p.name: values.get(p.name, p.default) for p in tool.parameters}, Use(Cancel())))


def seen(messages):
    return next(m.value for m in messages if m.type == "json")


def test_everything_goes_to_its_place(service):
    got = seen(call(service, "getPet", id="a/../b ?", tag=["x", "y"], **{"X-Trace": "水", "sid": "s"}))
    assert got["path"] == "/pets/a%2F..%2Fb%20%3F"
    assert got["query"] == [["tag", "x"], ["tag", "y"], ["lang", "zh"]]
    assert got["headers"]["cookie"] == "sid=s"
    assert got["headers"]["x-trace"].encode("latin-1").decode() == "水"
    got = seen(call(service, "pets_post", name="咪", weight=1.5))
    assert (json.loads(got["body"]), got["headers"]["content-type"]) == ({"name": "咪", "weight": 1.5},
                                                                         "application/json")
    assert json.loads(seen(call(service, "pets_delete", body=[1, 2]))["body"]) == [1, 2]
    assert seen(call(service, "getPet", id=".."))["path"] == "/pets/%2E%2E"


@pytest.mark.parametrize(("auth", "header", "value"), [
    ({"auth_type": "api_key_header", "api_key_value": "k", "api_key_header_prefix": "bearer"}, "authorization",
     "Bearer k"),
    ({"auth_type": "api_key_header", "api_key_value": "u:p", "api_key_header_prefix": "basic"}, "authorization",
     "Basic dTpw"),
    ({"auth_type": "api_key_header", "api_key_value": "k", "api_key_header": "X-Key"}, "x-key", "k"),
])
def test_authorisation(service, auth, header, value):
    assert seen(call(service, "getPet", auth, id=1))["headers"][header] == value


def test_a_key_in_the_query(service):
    got = seen(call(service, "getPet", {"auth_type": "api_key_query", "api_key_value": "k", "api_key_query_param": "t"},
                    id=1))
    assert ["t", "k"] in got["query"]


def test_failures(service):
    text = "openapi: 3.0.0\npaths: {/broken: {get: {}}, /picture: {get: {}}}"
    with pytest.raises(PortError, match="status code 500 and out of order"):
        call(service, "broken_get", text=text)
    with pytest.raises(PortError, match="key is not set"):
        call(service, "broken_get", {"auth_type": "api_key_query"}, text=text)
    with pytest.raises(PortError, match="line break"):
        call(service, "getPet", id=1, **{"X-Trace": "a\r\nHost: b"})
    with pytest.raises(PortError, match="not allowed"):
        call("http://169.254.169.254", "broken_get", text=text)


def test_a_custom_key_is_not_sent_to_another_host():
    operation = operations()["getPet"]
    request = openapi_call.request(operation, {"id": 1}, {"auth_type": "api_key_header", "api_key_value": "k",
                                                          "api_key_header": "X-Key"}, Use(Cancel()))
    assert request.secret_headers == ("X-Key",)
