"""Dify's knowledge pipelines. There is no editor for them here: each base has the same one, which begins at files or
at a web site, then reads, cleans and cuts by the base's own rule, and indexes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from flask import Response

from sparrow import clock
from sparrow.api import sse
from sparrow.api.service import knowledge, service
from sparrow.api.web import invalid
from sparrow.box import account
from sparrow.errors import BadRequest, NotFound, SparrowError
from sparrow.ids import is_uuid
from sparrow.knowledge import crawl, documents, ocr, parse, web
from sparrow.storage import files
from sparrow.tools.outbound import Client

TAG = "pipeline"
LOOK_EVERY, PING_EVERY = 0.4, 10.0  # seconds
Kind = Literal["online_document", "local_file", "website_crawl", "online_drive"]


class DatasourcePluginsQuery(msgspec.Struct):
    """The published pipeline or the draft: they are the same here."""

    is_published: bool = True


class DatasourceNodeRunPayload(msgspec.Struct, kw_only=True):
    """What a datasource is asked for."""

    inputs: dict[str, Any]
    datasource_type: Kind
    credential_id: str | None = None
    is_published: bool


class PipelineRunApiEntity(msgspec.Struct, kw_only=True):
    """What becomes documents."""

    inputs: dict[str, Any]
    datasource_type: Kind
    datasource_info_list: list[Any]
    start_node_id: str
    is_published: bool
    response_mode: Literal["streaming", "blocking"]


class LocalFile(msgspec.Struct):
    """An uploaded file by its id."""

    reference: str
    name: str | None = None


class WebPage(msgspec.Struct):
    """A page by its address."""

    url: Annotated[str, msgspec.Meta(max_length=2000)]
    title: str | None = None


def _variable(node: str, name: str, kind: str, label: str, default: Any, *, required: bool = False, tip: str = ""
              ) -> dict[str, Any]:
    """Return an input of a node as Dify describes it."""
    return {"belong_to_node_id": node, "variable": name, "type": kind, "label": label, "description": tip or None,
            "default_value": default, "required": required, "tooltips": tip or None, "placeholder": None, "unit": None,
            "options": [], "max_length": 2000 if kind == "text-input" else None, "allowed_file_types": None,
            "allowed_file_extensions": None, "allowed_file_upload_methods": None}


_PATHS = "Separated by commas; * stands for anything."
NODES = [
    {"node_id": "local_file", "plugin_id": "langgenius/file", "provider_name": "file", "datasource_type": "local_file",
     "title": "File", "user_input_variables": [], "credentials": []},
    {"node_id": "website_crawl", "plugin_id": "sparrow/website", "provider_name": "website",
     "datasource_type": "website_crawl", "title": "Website", "credentials": [],
     "user_input_variables": [
         _variable("website_crawl", "url", "text-input", "URL", None, required=True),
         _variable("website_crawl", "limit", "number", "Limit", 10, tip="Pages at most, up to 500."),
         _variable("website_crawl", "max_depth", "number", "Max depth", 3, tip="Links away at most, up to 10."),
         _variable("website_crawl", "include_paths", "text-input", "Include only paths", "", tip=_PATHS),
         _variable("website_crawl", "exclude_paths", "text-input", "Exclude paths", "", tip=_PATHS),
         _variable("website_crawl", "only_main_content", "checkbox", "Only main content", True),
         _variable("website_crawl", "whole_site", "checkbox", "Whole site", False,
                   tip="Also pages that are not below the URL.")]}]


@service.post("/datasets/pipeline/file-upload", status=201, files=("file",), tag=TAG)
def upload_pipeline_file() -> dict[str, Any]:
    """Upload a file that a pipeline is run with, or an image for a passage or a question."""
    file = knowledge.upload(images=True)
    return {"id": file["id"], "name": file["name"], "size": file["size"], "extension": file["extension"],
            "mime_type": file["mime_type"], "created_by": account.identity(),
            "created_at": datetime.fromtimestamp(file["created_at"], UTC).replace(tzinfo=None).isoformat()}


@service.get("/datasets/<dataset_id>/pipeline/datasource-plugins", tag=TAG)
def list_datasource_plugins(dataset_id: str, query: DatasourcePluginsQuery) -> list[dict[str, Any]]:
    """List where a base's documents can come from."""
    knowledge.dataset(dataset_id)
    return NODES


@service.post("/datasets/<dataset_id>/pipeline/datasource/nodes/<node_id>/run", stream=True, tag=TAG)
def run_datasource_node(dataset_id: str, node_id: str, body: DatasourceNodeRunPayload) -> Response:
    """Ask a datasource what it has: the pages of a web site, as they are found."""
    knowledge.dataset(dataset_id)
    _node(node_id, body.datasource_type)
    if node_id == "local_file":
        return sse.respond([sse.frame({"event": "datasource_error", "error": (
            "Files are not looked for: upload them, and run the pipeline with their ids.")})])
    return sse.respond(_events(dataset_id, crawl.begin(dataset_id, _options(body.inputs))))


@service.post("/datasets/<dataset_id>/pipeline/run", tag=TAG)
def run_pipeline(dataset_id: str, body: PipelineRunApiEntity) -> dict[str, Any]:
    """Make documents of files or of pages; they are indexed in the background, whatever the response mode."""
    base = knowledge.dataset(dataset_id)
    _node(body.start_node_id, body.datasource_type)
    if not body.is_published:
        raise BadRequest("is_published must be true: the pipeline is fixed here and has no draft to try.",
                         params="is_published")
    documents.check_new(base, None, None, None)
    if not 0 < len(body.datasource_info_list) <= crawl.MAX_PAGES:
        raise BadRequest(f"datasource_info_list must have 1 to {crawl.MAX_PAGES} items.", params="datasource_info_list")
    fetched: list[str] = []
    try:
        if body.datasource_type == "local_file":
            info = dict(_file(item) for item in _items(body.datasource_info_list, LocalFile))
        else:
            info = dict(_page(dataset_id, item, fetched) for item in _items(body.datasource_info_list, WebPage))
        rows, batch = documents.add_files(dataset_id, list(info), created_from="rag-pipeline", info=info)
    except SparrowError:
        for file_id in fetched:
            files.delete(file_id)
        raise
    return {
        "batch": batch,
        "dataset": {"id": base["id"], "name": base["name"], "description": base["description"],
                    "chunk_structure": rows[0]["doc_form"]},
        "documents": [{name: row[name] for name in (
            "id", "position", "data_source_type", "data_source_info", "name", "indexing_status", "error", "enabled")}
            for row in rows]}


def _node(node_id: str, kind: str) -> None:
    """Raise NotFound for a node that the pipeline does not have, BadRequest for a type that is not the node's."""
    if kind in ("online_document", "online_drive"):
        raise BadRequest(f"datasource_type: {kind} is not available on this box; it has local_file and website_crawl.",
                         params="datasource_type")
    node = next((node for node in NODES if node["node_id"] == node_id), None)
    if node is None:
        raise NotFound("Datasource node not found.")
    if node["datasource_type"] != kind:
        raise BadRequest(f"datasource_type: the node {node_id} is of type {node['datasource_type']}.",
                         params="datasource_type")


def _options(inputs: dict[str, Any]) -> crawl.CrawlOptions:
    """Return the inputs of a crawl; numbers and truths may come as text, as forms send them."""
    given = {name: value for name, value in inputs.items() if value not in (None, "")}
    for name in ("include_paths", "exclude_paths"):
        if isinstance(given.get(name), str):
            given[name] = [part.strip() for part in given[name].split(",") if part.strip()]
    try:
        return msgspec.convert(given, crawl.CrawlOptions, strict=False)
    except msgspec.ValidationError as error:
        raise _inside("inputs", error) from None


def _items(given: list[Any], kind: type) -> Iterator[Any]:
    for number, item in enumerate(given):
        try:
            yield msgspec.convert(item, kind)
        except msgspec.ValidationError as error:
            raise _inside(f"datasource_info_list.{number}", error) from None


def _inside(place: str, error: msgspec.ValidationError) -> BadRequest:
    found = invalid(error)
    field = f"{place}.{found.params}" if found.params else place
    return BadRequest(f"{field}: {str(error).partition(' - at `$')[0]}", params=field)


def _file(item: LocalFile) -> tuple[str, dict[str, Any]]:
    """Return an uploaded file's id and what its document is; raise NotFound for a file of an app."""
    if not is_uuid(item.reference) or (row := files.get(item.reference))["app_id"]:
        raise NotFound("File not found.", code="file_not_found")
    if not ocr.readable(row["name"]):
        raise BadRequest(f"{row['name']} cannot be read. {parse.advice(row['name'])}".strip(),
                         code="unsupported_file_type", params="datasource_info_list")
    return row["id"], {"type": "local_file", "name": item.name or row["name"], "info": {"reference": row["id"]}}


def _page(dataset_id: str, item: WebPage, fetched: list[str]) -> tuple[str, dict[str, Any]]:
    """Return the file of a page that a crawl has found, or of one that is fetched now, and what its document is."""
    found = crawl.file_of(dataset_id, item.url)
    if found is None:
        row, url, title = web.fetch(Client(), item.url, only_main_content=True)
        fetched.append(row["id"])
        found = {"file_id": row["id"], "url": url, "title": title}
    file_id = found["file_id"]
    origin = crawl.origin([file_id]).get(file_id, {"mode": "crawl", "only_main_content": True})
    return file_id, {"type": "website_crawl", "name": item.title or found["title"],
                     "info": {"url": found["url"], "provider": "sparrow", **origin}}


def _events(dataset_id: str, crawl_id: str) -> Iterator[bytes]:
    """Follow a crawl in Dify's events; who leaves before its end stops it."""
    begun = said = clock.monotonic()
    texts: dict[str, str] = {}
    last = -1
    try:
        while True:
            state = crawl.state(dataset_id, crawl_id)
            pages = state["pages"]
            if len(pages) != last:
                last, said = len(pages), clock.monotonic()
                yield sse.frame({"event": "datasource_processing", "completed": last,
                                 "total": min(state["options"]["limit"], last + state["waiting"])})
            for page in pages:
                if page["id"] not in texts:
                    texts[page["id"]] = _text(dataset_id, crawl_id, page["id"])
            if state["state"] not in ("waiting", "running"):
                break
            if clock.monotonic() - said > PING_EVERY:
                said = clock.monotonic()
                yield sse.PING
            time.sleep(LOOK_EVERY)
        if state["state"] == "failed" and not pages:
            yield sse.frame({"event": "datasource_error", "error": state["error"]})
            return
        yield sse.frame({
            "event": "datasource_completed", "total": len(pages), "completed": len(pages),
            "time_consuming": round(clock.monotonic() - begun, 2),
            "data": [{"source_url": page["url"], "content": texts[page["id"]], "title": page["title"],
                      "description": page["description"]} for page in pages]})
    except SparrowError as error:
        yield sse.frame({"event": "datasource_error", "error": error.message})
    finally:
        with contextlib.suppress(NotFound):
            crawl.stop(dataset_id, crawl_id)


def _text(dataset_id: str, crawl_id: str, page_id: str) -> str:
    try:
        return crawl.text(dataset_id, crawl_id, page_id)
    except parse.ParseError:  # a document that turns out to be damaged: indexing it says so
        return ""
