# SPDX-License-Identifier: Apache-2.0
"""A message broker that others wrote (nats-server), under load, and its core.

Speaks the broker's text protocol: streams kept in memory, consumers with messages in flight,
hundreds of connections with subscriptions.
"""

import json
import pathlib
import random
import shutil
import signal
import socket
import threading
import time
import urllib.request
from typing import List

from lib import programs

MODULE = "github.com/nats-io/nats-server/v2"
STREAM_BYTES = 240 << 20
CONNECTIONS, SUBSCRIPTIONS, CONSUMERS, SUBJECTS = 150, 40, 30, 20000
START_SECONDS = 60
BATCH = 200
PAUSE = 0.004  # between batches: the server must keep up with two processors


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._file = self._socket.makefile("rb")
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
        try:
            while True:
                line = self._line()
                if line == b"PING":
                    self.send(b"PONG\r\n")
        except (OSError, ValueError):
            pass

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


class Broker:
    """A running broker.

    :param release: what built it
    :param folder: for its core, stdout and stderr
    """

    def __init__(self, exe: pathlib.Path, release: str, folder: pathlib.Path) -> None:
        self.exe, self.release, self.folder, self.core = exe, release, folder, folder / "core"
        self._port, self._profile = _free_port(), _free_port()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._process = programs.start(exe, folder, {}, [
            "-a", "127.0.0.1", "-p", str(self._port), "-js", "-sd", str(folder / "store"),
            "--profile", str(self._profile)])
        self._clients: List[Client] = []
        self._threads: List[threading.Thread] = []

    def load(self, seconds: float) -> None:
        """Keep the broker busy, then leave the connections open.

        :raises programs.Failure: it does not do what it is asked
        """
        first = self._connect_first()
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
            client = self._connect()
            client.send(b"".join(b"SUB %s %d\r\n" % (subject.encode(), number)
                                 for number, subject in enumerate(_subjects(i), 1)))
            thread = threading.Thread(target=client.drain, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._publish(first, seconds)

    def collect(self, times: int) -> None:
        """Make the broker collect its garbage."""
        for _ in range(times):
            url = "http://127.0.0.1:%d/debug/pprof/heap?gc=1" % self._profile
            with urllib.request.urlopen(url, timeout=60) as answer:
                answer.read()

    def abort(self) -> None:
        """Let the broker die with a core.

        :raises programs.Failure: it leaves none
        """
        self._process.send_signal(signal.SIGABRT)
        programs.finish(self._process, self.folder, programs.RUN_SECONDS)
        programs.check_death(self._process, self.folder)

    def close(self) -> None:
        """End the broker if it still runs, and all connections."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for client in self._clients:
            client.close()
        for thread in self._threads:
            thread.join(10)

    def _connect(self) -> Client:
        client = Client(self._port)
        self._clients.append(client)
        return client

    def _connect_first(self) -> Client:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self._connect()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise programs.Failure("the broker does not start: " + (
                        self.folder / "stderr").read_text()[-2000:]) from None
                time.sleep(0.05)

    def _ask(self, client: Client, subject: str, body: dict) -> None:
        answer = client.request(subject, body)
        if "error" in answer:
            raise programs.Failure("%s: %s" % (subject, answer["error"]))

    def _publish(self, client: Client, seconds: float) -> None:
        rng = random.Random(1)
        filler = bytes(rng.getrandbits(8) for _ in range(4096)).replace(b"\r", b".")
        thread = threading.Thread(target=client.drain, daemon=True)
        thread.start()
        self._threads.append(thread)
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            batch = []
            for _ in range(BATCH):
                number += 1
                size = 100 + int(1400 * rng.random() ** 2)
                key = number % SUBJECTS
                subject = (b"orders.%d.%d" if number % 3 else b"events.%d.%d") % (key % 100, key)
                batch.append(b"PUB %s %d\r\n%s\r\n" % (subject, size, filler[:size]))
            client.send(b"".join(batch))
            time.sleep(PAUSE)


def build(workshop: programs.Workshop, release: str) -> pathlib.Path:
    """Return the broker's executable.

    :raises programs.Failure: the module cannot be had, or does not build
    """
    exe = workshop.folder / ("broker-" + release) / "nats-server"
    if not exe.exists():
        programs.go(release, ["build", "-o", str(exe), MODULE],
                    folder=programs.PROGRAMS / "thirdparty")
    return exe


def _subjects(i: int) -> List[str]:
    subjects = ["news.%d.%d.*" % (i, j) for j in range(SUBSCRIPTIONS)]
    if i < CONSUMERS:
        subjects.append("deliver.%d" % i)
    return subjects


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
