"""The stand-in's sockets: an HTTPS proxy on loopback that answers for every host itself, with its own certificate."""

import json
import ssl
import tempfile
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import time
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

import trustme

from tests.standin.world import Fault, Kind, Listing, World

_HOSTS = ("yahoo.com", "*.yahoo.com", "*.finance.yahoo.com")
_STATUS = {Fault.THROTTLED: 429, Fault.UNAUTHORISED: 401, Fault.BROKEN: 500}
_BODY = {Fault.EMPTY: b"", Fault.GARBAGE: b"<html><body>Will be right back</body></html>"}


class Standin:
    """
    A running stand-in; a context manager.

    `world` is its state. A program talks to it if it is started with `environment(...)`.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.world = World()
        self._folder = tempfile.TemporaryDirectory(prefix="yahoo-standin-")
        authority = trustme.CA()
        self._ca_file = Path(self._folder.name) / "ca.pem"
        authority.cert_pem.write_to_path(str(self._ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*_HOSTS).configure_cert(context)
        self._server = _Server(("127.0.0.1", port), self.world, context)
        self.port = self._server.server_address[1]

    def environment(self, cache_folder: Path) -> dict[str, str]:
        """Return what to set for a program that shall meet the stand-in; `cache_folder` holds yfinance's cookies."""
        proxy = f"http://127.0.0.1:{self.port}"
        certificates = str(self._ca_file)
        return {
            "HTTPS_PROXY": proxy,
            "https_proxy": proxy,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "SSL_CERT_FILE": certificates,
            "REQUESTS_CA_BUNDLE": certificates,
            "CURL_CA_BUNDLE": certificates,
            "XDG_CACHE_HOME": str(cache_folder),
        }

    def serve(self) -> None:
        """Serve until closed."""
        self._server.serve_forever(poll_interval=0.05)

    def __enter__(self) -> Self:
        Thread(target=self.serve, name="yahoo-standin", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.world.reset()
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], world: World, context: ssl.SSLContext) -> None:
        super().__init__(address, _Handler)
        self.world = world
        self.context = context

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that give up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    """One connection: first a CONNECT, then requests over TLS on the same socket; or requests that steer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # 40 ms less for each request
    server: _Server

    def do_CONNECT(self) -> None:
        if self.server.world.refuses_connections():
            self.close_connection = True
            return
        self.send_response(200, "Connection established")
        self.end_headers()
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def do_GET(self) -> None:
        host = self.headers.get("Host", "")
        url = urlsplit(self.path)
        if host.endswith("yahoo.com"):
            self._answer_as_yahoo(host, url.path, parse_qs(url.query))
        elif url.path == "/counts":
            self._send(200, json.dumps(self.server.world.counts).encode())
        else:
            self._send(404, b"{}")

    def do_PUT(self) -> None:
        """Steer a stand-in that runs as its own process: PUT /quotes {symbol: {field: value}}, /fault {kind: fault}."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        world = self.server.world
        if self.path == "/quotes":
            world.listings.update({symbol: Listing(**fields) for symbol, fields in asked.items()})
        elif self.path == "/fault":
            for kind, fault in asked.items():
                world.fail(Fault(fault) if fault else None, *([] if kind == "all" else [Kind(kind)]))
        elif self.path == "/splits":
            for symbol, fields in asked.items():
                world.split(symbol, **fields)
        elif self.path == "/price-factor":
            world.price_factor = float(asked)
        else:
            self._send(404, b"{}")
            return
        self._send(200, b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's signature)
        """Keep quiet."""

    def _answer_as_yahoo(self, host: str, path: str, query: dict[str, list[str]]) -> None:
        world = self.server.world
        kind = _kind_of(host, path)
        fault = world.next_fault(kind)
        if fault is Fault.HANG:
            world.wait_until_lifted()
        if fault in {Fault.DROP, Fault.HANG}:
            self.close_connection = True
        elif fault in _STATUS:
            self._send(_STATUS[fault], b'{"finance":{"result":null,"error":{"code":"as asked"}}}')
        elif fault in _BODY:
            self._send(200, _BODY[fault])
        elif kind is Kind.QUOTE:
            self._send_quotes(query, fault)
        elif kind is Kind.CHART:
            self._send_chart(unquote(path.rsplit("/", 1)[1]), fault)
        else:
            self._send_access(kind)

    def _send_access(self, kind: Kind) -> None:
        """Answer what a browser does before it may ask for quotes."""
        if kind is Kind.COOKIE:
            expires = formatdate(time() + 86_400 * 365, usegmt=True)
            self._send(404, b"", cookie=f"A3=made; Domain=.yahoo.com; Path=/; Expires={expires}; Secure; HttpOnly")
        elif kind is Kind.CRUMB:
            crumb = f"crumb{len(self.server.world.crumbs)}"
            self.server.world.crumbs.add(crumb)
            self._send(200, crumb.encode())
        else:
            self._send(200, b"<html></html>")

    def _send_quotes(self, query: dict[str, list[str]], fault: Fault | None) -> None:
        world = self.server.world
        symbols = query.get("symbols", [""])[0].split(",")
        world.asked.append(symbols)
        if query.get("crumb", [""])[0] not in world.crumbs:
            self._send(
                401, b'{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}'
            )
            return
        answered = {Fault.NO_RESULTS: [], Fault.FIRST_ONLY: symbols[:1]}.get(fault, symbols) if fault else symbols
        self._send(200, world.quote_body(answered))

    def _send_chart(self, symbol: str, fault: Fault | None) -> None:
        body = None if fault is Fault.NO_RESULTS else self.server.world.chart_body(symbol)
        if body is None:
            self._send(404, b'{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}')
        else:
            self._send(200, body)

    def _send(self, status: int, body: bytes, *, cookie: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if cookie is not None:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        self.wfile.write(body)


def _kind_of(host: str, path: str) -> Kind:
    if host == "fc.yahoo.com":
        return Kind.COOKIE
    if host in {"guce.yahoo.com", "consent.yahoo.com"}:
        return Kind.CONSENT
    parts = {"/v1/test/getcrumb": Kind.CRUMB, "/v7/finance/quote": Kind.QUOTE, "/v8/finance/chart/": Kind.CHART}
    return next((kind for start, kind in parts.items() if path.startswith(start)), Kind.OTHER)
