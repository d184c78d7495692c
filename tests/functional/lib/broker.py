# SPDX-License-Identifier: Apache-2.0
"""A message broker that others wrote (nats-server), under load, and its core.

Speaks the broker's text protocol: streams kept in memory, consumers with messages in flight,
hundreds of connections with subscriptions.
"""

import json
import random
import socket
import threading
import time
from typing import List

from lib import programs, thirdparty

STREAM_BYTES = 240 << 20
CONNECTIONS, SUBSCRIPTIONS, CONSUMERS, SUBJECTS = 150, 40, 30, 20000
BATCH = 200
MESSAGES = 3 * STREAM_BYTES // 2 // 560  # of 560 bytes: the streams are full, however busy the machine is
SETTLE_EVERY = 100 * BATCH  # messages: no more wait to be read than that
SETTLE_SECONDS = 60
PAUSE = 0.004  # between batches: the server must keep up with two processors


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=SETTLE_SECONDS)
        self._file = self._socket.makefile("rb")
        self._ponged = threading.Event()
        self._line()  # INFO
        self.send(b'CONNECT {"verbose":false,"pedantic":false}\r\nPING\r\n')
        while self._line() != b"PONG":
            pass

    def send(self, data: bytes) -> None:
        """Send commands of the protocol."""
        self._socket.sendall(data)

    def request(self, subject: str, body: dict) -> dict:
        """Return the answer to a JSON request."""
        inbox = "_INBOX.%d" % random.getrandbits(60)
        text = json.dumps(body).encode()
        self.send(b"SUB %s 9999\r\nPUB %s %s %d\r\n%s\r\n" % (
            inbox.encode(), subject.encode(), inbox.encode(), len(text), text))
        while True:
            line = self._line()
            if line == b"PING":
                self.send(b"PONG\r\n")
            elif line.startswith(b"MSG " + inbox.encode()):
                answer = json.loads(self._file.read(int(line.split()[-1])))
                self._line()
                self.send(b"UNSUB 9999\r\n")
                return answer

    def drain(self) -> None:
        """Read and forget what comes, until the connection ends."""
        while True:
            line = self._line()
            if line == b"PING":
                self.send(b"PONG\r\n")
            elif line == b"PONG":
                self._ponged.set()

    def settle(self, seconds: float) -> None:
        """Wait until the broker has read all that was sent, while somebody drains.

        :raises programs.Failure: that takes too long
        """
        self._ponged.clear()
        self.send(b"PING\r\n")
        if not self._ponged.wait(seconds):
            raise programs.Failure("the broker is still busy after %d s" % seconds)

    def close(self) -> None:
        """End the connection."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def _line(self) -> bytes:
        line = self._file.readline()
        if not line:
            raise OSError("the broker has closed the connection")
        return line.rstrip(b"\r\n")


class Reader(thirdparty.Threads):
    """Answers what the broker asks of a connection, forgets the rest."""

    def __init__(self, client: Client) -> None:
        self._client = client
        super().__init__()

    def run(self) -> None:
        """See Threads."""
        self._client.drain()

    def close(self) -> None:
        """See Threads."""
        self._client.close()
        super().close()


class Broker(thirdparty.Server):
    """See the module."""

    KIND, NAME = "broker", "nats-server"
    PACKAGE = "github.com/nats-io/nats-server/v2"
    MIN_GOROUTINES = CONNECTIONS

    def words(self) -> List[str]:
        """See Server."""
        return ["-a", thirdparty.HOST, "-p", str(self.port), "-js",
                "-sd", str(self.folder / "store"), "--profile", str(self.debug_port)]

    def load(self, seconds: float) -> None:
        """See Server."""
        self.wait_until(lambda: Client(self.port).close())
        first = Client(self.port)
        for name, keys in (("ORDERS", "orders.>"), ("EVENTS", "events.>")):
            self._ask(first, "$JS.API.STREAM.CREATE." + name, {
                "name": name, "subjects": [keys], "storage": "memory", "retention": "limits",
                "discard": "old", "max_bytes": STREAM_BYTES // 2, "max_msgs": -1, "max_age": 0,
                "num_replicas": 1, "max_consumers": -1, "max_msg_size": -1})
        for i in range(CONSUMERS):
            self._ask(first, "$JS.API.CONSUMER.DURABLE.CREATE.ORDERS.worker%d" % i, {
                "stream_name": "ORDERS", "config": {
                    "durable_name": "worker%d" % i, "ack_policy": "explicit",
                    "deliver_policy": "all", "filter_subject": "orders.%d.>" % i,
                    "deliver_subject": "deliver.%d" % i, "max_ack_pending": 500,
                    "ack_wait": 3600 * 10**9, "replay_policy": "instant"}})
        for i in range(CONNECTIONS):
            client = Client(self.port)
            client.send(b"".join(b"SUB %s %d\r\n" % (subject.encode(), number)
                                 for number, subject in enumerate(_subjects(i), 1)))
            self.with_peer(Reader(client))
        self._publish(first, seconds)

    def _ask(self, client: Client, subject: str, body: dict) -> None:
        answer = client.request(subject, body)
        if "error" in answer:
            raise programs.Failure("%s: %s" % (subject, answer["error"]))

    def _publish(self, client: Client, seconds: float) -> None:
        rng = random.Random(1)
        filler = bytes(rng.getrandbits(8) for _ in range(4096)).replace(b"\r", b".")
        self.with_peer(Reader(client))
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end or number < MESSAGES:
            batch = []
            for _ in range(BATCH):
                number += 1
                size = 100 + int(1400 * rng.random() ** 2)
                key = number % SUBJECTS
                subject = (b"orders.%d.%d" if number % 3 else b"events.%d.%d") % (key % 100, key)
                batch.append(b"PUB %s %d\r\n%s\r\n" % (subject, size, filler[:size]))
            client.send(b"".join(batch))
            if number % SETTLE_EVERY == 0:
                client.settle(SETTLE_SECONDS)
            time.sleep(PAUSE)
        client.settle(SETTLE_SECONDS)


def _subjects(i: int) -> List[str]:
    subjects = ["news.%d.%d.*" % (i, j) for j in range(SUBSCRIPTIONS)]
    if i < CONSUMERS:
        subjects.append("deliver.%d" % i)
    return subjects

