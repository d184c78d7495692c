# SPDX-License-Identifier: Apache-2.0
"""A web server that others wrote (Caddy): thousands of routes, connections and open requests.

Idle connections with and without TLS, requests in flight to a backend that does not answer, over
HTTP/1.1 and HTTP/2, uploads held in buffers, all the while quick requests.
"""

import json
import socket
import ssl
import struct
import time
from typing import List

from lib import programs, thirdparty

GROUPS, ROUTES = 100, 150  # routes of a group
HOSTS = 20
PLAIN, SECURE = 2500, 300  # idle connections
UPLOADS, UPLOAD_BYTES = 600, 100 << 10
STREAMED, STREAMS = 100, 25  # connections of HTTP/2, requests of each
FRAME_HEADERS, END_STREAM_AND_HEADERS = 1, 5
PAUSE = 0.004


class WebServer(thirdparty.Server):
    """See the module."""

    KIND, NAME = "http", "caddy"
    PACKAGE = "github.com/caddyserver/caddy/v2/cmd/caddy"
    MIN_GOROUTINES = PLAIN + SECURE + UPLOADS + STREAMED * STREAMS

    def words(self) -> List[str]:
        """See Server."""
        self._tls_port = thirdparty.free_port()
        self._backend = self.with_peer(thirdparty.Drain(listen=True))
        self._drain = self.with_peer(thirdparty.Drain())
        path = self.folder / "caddy.json"
        path.write_text(json.dumps(self._config()))
        return ["run", "--config", str(path)]

    def load(self, seconds: float) -> None:
        """See Server."""
        self.wait_until(lambda: self._plain().close())
        self.wait_until(lambda: self._secure(0, "http/1.1").close())
        end = time.monotonic() + seconds
        quick = [self._plain() for _ in range(PLAIN)]
        for i in range(SECURE):
            connection = self._secure(i, "http/1.1")
            connection.sendall(_request("/shop/%d/1" % (i % GROUPS), b""))
            self._check(connection)
            self._drain.add(connection)
        for i in range(UPLOADS):
            connection = self._plain()
            connection.sendall(_request("/slow/%d" % i, b"x" * UPLOAD_BYTES))
            self._drain.add(connection)
        for i in range(STREAMED):
            self._stream(i)
        number = 0
        while time.monotonic() < end:
            connection = quick[number % PLAIN]
            number += 1
            connection.sendall(_request("/shop/%d/%d" % (number % GROUPS, number % ROUTES), b""))
            self._check(connection)
            time.sleep(PAUSE)
        for connection in quick:
            self._drain.add(connection)
        if self._backend.seen < UPLOADS:
            raise programs.Failure("%s has passed on %d requests" % (
                self.NAME, self._backend.seen))

    def _check(self, connection: socket.socket) -> None:
        answer = connection.recv(1 << 16)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise programs.Failure("%s answers %r" % (self.NAME, answer[:200]))

    def _plain(self) -> socket.socket:
        return socket.create_connection((thirdparty.HOST, self.port), timeout=60)

    def _secure(self, number: int, protocol: str) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # of a server of our own on loopback
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([protocol])
        connection = socket.create_connection((thirdparty.HOST, self._tls_port), timeout=60)
        return context.wrap_socket(connection, server_hostname="shop%d.test" % (number % HOSTS))

    def _stream(self, number: int) -> None:
        """Send requests of HTTP/2 that the backend does not answer."""
        connection = self._secure(number, "h2")
        frames = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b"")
        for i in range(STREAMS):
            fields = ((":method", "GET"), (":scheme", "https"), (":path", "/slow/%d" % i),
                      (":authority", "shop%d.test" % (number % HOSTS)), ("x-tenant", "t%d" % i))
            block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)
            frames += _frame(FRAME_HEADERS, END_STREAM_AND_HEADERS, 2 * i + 1, block)
        connection.sendall(frames)
        self._drain.add(connection)

    def _config(self) -> dict:
        hosts = ["shop%d.test" % i for i in range(HOSTS)]
        slow = {"match": [{"path": ["/slow/*"]}], "terminal": True, "handle": [{
            "handler": "reverse_proxy", "request_buffers": 2 * UPLOAD_BYTES,
            "headers": {"request": {"set": {"X-Shop": ["{http.request.host}"]}}},
            "upstreams": [{"dial": "%s:%d" % (thirdparty.HOST, self._backend.port)}]}]}
        routes = [slow] + [_group(i) for i in range(GROUPS)]
        return {
            "admin": {"listen": "%s:%d" % (thirdparty.HOST, self.debug_port),
                      "config": {"persist": False}},
            "storage": {"module": "file_system", "root": str(self.folder / "store")},
            "logging": {"logs": {"default": {"level": "ERROR"}}},
            "apps": {
                "http": {"servers": {
                    "plain": {"listen": ["%s:%d" % (thirdparty.HOST, self.port)],
                              "automatic_https": {"disable": True}, "routes": routes},
                    "secure": {"listen": ["%s:%d" % (thirdparty.HOST, self._tls_port)],
                               "protocols": ["h1", "h2"],
                               "automatic_https": {"disable": True}, "routes": routes,
                               "tls_connection_policies": [{}]}}},
                "tls": {"certificates": {"automate": hosts}, "automation": {"policies": [
                    {"subjects": hosts, "issuers": [{"module": "internal"}]}]}},
                "pki": {"certificate_authorities": {"local": {"install_trust": False}}}}}


def _group(number: int) -> dict:
    return {"match": [{"path": ["/shop/%d/*" % number]}], "terminal": True, "handle": [{
        "handler": "subroute", "routes": [_route(number, i) for i in range(ROUTES)]}]}


def _route(group: int, number: int) -> dict:
    return {
        "match": [{"path": ["/shop/%d/%d" % (group, number)], "method": ["GET", "HEAD"]}],
        "terminal": True,
        "handle": [
            {"handler": "headers", "response": {"set": {
                "X-Shop": ["shop %d" % number], "Cache-Control": ["max-age=%d" % number]}}},
            {"handler": "static_response", "status_code": "200",
             "body": "shop %d of {http.request.host}: " % number + "goods " * (number % 20)}]}


def _request(path: str, body: bytes) -> bytes:
    return b"%s %s HTTP/1.1\r\nHost: shop.test\r\nContent-Length: %d\r\n\r\n%s" % (
        b"POST" if body else b"GET", path.encode(), len(body), body)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()  # below 127 bytes, not compressed
