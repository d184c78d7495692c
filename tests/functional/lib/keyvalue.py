# SPDX-License-Identifier: Apache-2.0
"""A key-value store that others wrote (etcd), by its JSON interface: transactions, leases, watches.
"""

import base64
import http.client
import json
import random
import socket
import time
from typing import List

from lib import programs, thirdparty

KEYS = 120000
BATCH = 100              # puts of a transaction
VALUE_BYTES = 700
TRANSACTIONS = 3500      # then slower: the store keeps what it replicates
LEASES, WATCHES = 400, 150
PAUSE = 0.002


class KeyValue(thirdparty.Server):
    """See the module."""

    KIND, NAME = "kv", "etcd"
    PACKAGE = "go.etcd.io/etcd/server/v3"
    MIN_GOROUTINES = WATCHES
    MAX_LEFT_SHARE = 0.03  # it watches its own database all the time

    def words(self) -> List[str]:
        """See Server."""
        self.debug_port = self.port
        client = "http://%s:%d" % (thirdparty.HOST, self.port)
        peer = "http://%s:%d" % (thirdparty.HOST, thirdparty.free_port())
        return ["--data-dir", str(self.folder / "data"), "--enable-pprof", "--unsafe-no-fsync",
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", "default=" + peer, "--quota-backend-bytes", str(4 << 30),
                "--log-level", "error"]

    def load(self, seconds: float) -> None:
        """See Server."""
        self.wait_until(lambda: self._ask("maintenance/status", {}))
        leases = [self._ask("lease/grant", {"TTL": 36000})["ID"] for _ in range(LEASES)]
        self._watch()
        rng = random.Random(1)
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            number += 1
            self._ask("kv/txn", {"success": [
                _put(rng, key, leases) for key in rng.sample(range(KEYS), BATCH)]})
            if number % 20 == 0:
                self._ask("kv/range", {"key": _text(_key(rng.randrange(KEYS))),
                                       "range_end": _text("\x7f"), "limit": 100})
            time.sleep(PAUSE if number < TRANSACTIONS else 0.5)

    def _watch(self) -> None:
        drain = self.with_peer(thirdparty.Drain())
        for i in range(WATCHES):
            body = json.dumps({"create_request": {
                "key": _text("/shops/%d/" % i), "range_end": _text("/shops/%d0" % i),
                "prev_kv": i % 2 == 0}}).encode()
            connection = socket.create_connection((thirdparty.HOST, self.port), timeout=30)
            connection.sendall(b"POST /v3/watch HTTP/1.1\r\nHost: store\r\n"
                               b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                               % (len(body), body))
            drain.add(connection)

    def _ask(self, path: str, body: dict) -> dict:
        connection = self._connection = getattr(self, "_connection", None) or \
            http.client.HTTPConnection(thirdparty.HOST, self.port, timeout=60)
        try:
            connection.request("POST", "/v3/" + path, json.dumps(body),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if answer.status != 200:
            raise programs.Failure("%s of %s: %s" % (path, self.NAME, text[:300]))
        return json.loads(text)


def _key(number: int) -> str:
    return "/shops/%d/orders/%08d" % (number % 500, number)


def _put(rng: random.Random, number: int, leases: List[str]) -> dict:
    value = rng.randbytes(rng.randrange(VALUE_BYTES * 2))
    put = {"key": _text(_key(number)), "value": base64.b64encode(value).decode()}
    if rng.randrange(10) == 0:
        put["lease"] = rng.choice(leases)
    return {"request_put": put}


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
