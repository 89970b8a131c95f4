"""A small web site to crawl: pages by path, with what real sites do to those who read them."""

from __future__ import annotations

import gzip
import http.server
import threading
import time
from contextlib import contextmanager

WORDS = "The pump of this page is described here at some length, so that there is a text to be found in it. "


def page(title: str, body: str, *links: str, head: str = "") -> str:
    """Return a page with a menu of links around its text."""
    menu = "".join(f'<li><a href="{link}">{link}</a></li>' for link in links)
    return (f"<!DOCTYPE html><html><head><meta charset=utf-8><title>{title}</title>{head}</head><body>"
            f"<nav><ul>{menu}</ul></nav><main><h1>{title}</h1><p>{body} {WORDS}</p></main>"
            "<footer>Imprint of the footer</footer></body></html>")


class Site:
    """Pages by path: text, or (status, headers, bytes). `asked` are the paths that were asked for, in order."""

    def __init__(self):
        self.pages: dict[str, str | tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []
        self.times: list[float] = []
        self.agents: set[str] = set()
        self.url = ""

    def add(self, path: str, title: str, *links: str, body: str = "", head: str = "") -> None:
        """Add a page."""
        self.pages[path] = page(title, body or f"About {title}.", *links, head=head)

    def answer(self, path: str, status: int = 200, kind: str = "text/html", data: bytes = b"", **headers: str) -> None:
        """Add another answer."""
        self.pages[path] = (status, {"Content-Type": kind, **{
            name.replace("_", "-"): value for name, value in headers.items()}}, data)


def _handler(site: Site):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            site.asked.append(self.path)
            site.times.append(time.monotonic())
            site.agents.add(self.headers["User-Agent"])
            if self.path == "/endless":
                return self._endless()
            if self.path == "/slow":
                return self._slow()
            found = site.pages.get(self.path, (404, {"Content-Type": "text/html"}, b"<p>not here"))
            status, headers, data = found if isinstance(found, tuple) else (
                200, {"Content-Type": "text/html"}, found.encode())
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return None

        def _endless(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                for _ in range(4000):
                    self.wfile.write(b"<p>" + b"more " * 20_000)
            except OSError:
                pass
            self.close_connection = True

        def _slow(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "100000")
            self.end_headers()
            try:
                for _ in range(100):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    time.sleep(0.1)
            except OSError:
                pass
            self.close_connection = True

        def log_message(self, *_):
            """Say nothing."""

    return Handler


@contextmanager
def served():
    """Serve a site on a port of its own."""
    site = Site()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


def sitemap(*urls: str, packed: bool = False) -> bytes:
    """Return a site map of some addresses."""
    data = ("<?xml version='1.0'?><urlset>" + "".join(f"<url><loc> {url} </loc></url>" for url in urls)
            + "</urlset>").encode()
    return gzip.compress(data) if packed else data
