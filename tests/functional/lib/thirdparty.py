# SPDX-License-Identifier: Apache-2.0
"""Servers that others wrote: built from the module proxy, started on loopback, ended with a core.

Each kind says in a file of its own how it is started and loaded: broker.py, webserver.py,
keyvalue.py, metrics.py.
"""

import http.client
import pathlib
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from typing import Callable, Dict, List, Optional

from lib import programs

START_SECONDS = 300
HOST = "127.0.0.1"


class Server:
    """A running server. Subclasses name the module and say how it is started and loaded.

    :param release: what built it
    :param folder: for its data, core, stdout and stderr; emptied
    """

    KIND = ""             # of tests/programs/thirdparty, where the versions are pinned
    PACKAGE = ""          # its main package
    NAME = ""             # of the executable
    MIN_GOROUTINES = 0    # that wait for something when it dies
    # What it allocates between its last collection and its end, of all that is allocated.
    MAX_LEFT_SHARE = 0.01

    def __init__(self, exe: pathlib.Path, release: str, folder: pathlib.Path) -> None:
        self.exe, self.release, self.folder, self.core = exe, release, folder, folder / "core"
        self.port, self.debug_port = free_port(), free_port()
        self._peers: List["Threads"] = []
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # some keep thousands of connections
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._process: Optional[subprocess.Popen] = None
        self._process = programs.start(exe, folder, self.environment(), self.words())

    def environment(self) -> Dict[str, str]:
        """Return what the server's environment has besides; nothing of it leads out of folder."""
        return {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder),
                "XDG_CONFIG_HOME": str(self.folder)}

    def words(self) -> List[str]:
        """Write what the server reads, and return its command line."""
        raise NotImplementedError

    def load(self, seconds: float) -> None:
        """Keep the server busy, then leave open what is open.

        :raises programs.Failure: it does not do what it is asked
        """
        raise NotImplementedError

    def collect(self, times: int) -> None:
        """Make the server collect its garbage."""
        for _ in range(times):
            url = "http://%s:%d/debug/pprof/heap?gc=1" % (HOST, self.debug_port)
            with urllib.request.urlopen(url, timeout=120) as answer:
                answer.read()

    def abort(self) -> None:
        """Let the server die with a core.

        :raises programs.Failure: it leaves none
        """
        self._process.send_signal(signal.SIGABRT)
        programs.finish(self._process, self.folder, programs.RUN_SECONDS)
        programs.check_death(self._process, self.folder)

    def close(self) -> None:
        """End the server if it still runs, and all that talks to it."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for peer in self._peers:
            peer.close()

    def forget(self) -> None:
        """Delete what a server that has ended leaves behind."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_until(self, ready: Callable[[], object]) -> None:
        """Wait until a call of the server does not fail any more.

        :raises programs.Failure: it ends, or takes too long
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                ready()
                return
            except (OSError, http.client.HTTPException):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise programs.Failure("%s does not start: %s" % (
                        self.NAME, (self.folder / "stderr").read_text()[-2000:])) from None
                time.sleep(0.1)

    def with_peer(self, peer: "Threads") -> "Threads":
        """Return a peer, which ends when the server does."""
        self._peers.append(peer)
        return peer


class Threads:
    """What talks to a server in a thread of its own, until it is closed."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._guarded, daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Do the work, while not self.over."""
        raise NotImplementedError

    def close(self) -> None:
        """End it."""
        self.over.set()
        self._thread.join(10)

    def _guarded(self) -> None:
        try:
            self.run()
        except (OSError, ValueError, http.client.HTTPException):
            pass  # the server has died


class Drain(Threads):
    """Reads and forgets what connections bring, and what a listener is sent: it never answers."""

    def __init__(self, listen: bool = False) -> None:
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server((HOST, 0), backlog=4096) if listen else None
        if self._listener:
            self.port = self._listener.getsockname()[1]
            self._selector.register(self._listener, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self.seen = 0  # connections accepted
        super().__init__()

    def add(self, connection: socket.socket) -> None:
        """Read what a connection brings from now on; it is ours."""
        connection.setblocking(False)
        with self._lock:
            self._selector.register(connection, selectors.EVENT_READ)

    def run(self) -> None:
        """See the class."""
        while not self.over.is_set():
            for key, _ in self._selector.select(0.2):
                if key.fileobj is self._listener:
                    self.add(self._listener.accept()[0])
                    self.seen += 1
                else:
                    self._read(key.fileobj)

    def close(self) -> None:
        """See the class."""
        super().close()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def _read(self, connection: socket.socket) -> None:
        try:
            if connection.recv(1 << 16):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        with self._lock:
            self._selector.unregister(connection)
        connection.close()


def build(kind: "type[Server]", workshop: pathlib.Path, release: str) -> pathlib.Path:
    """Return the executable of a server, built in a folder if it is not there.

    :raises programs.Failure: the module cannot be had, or does not build
    """
    exe = workshop / ("%s-%s" % (kind.KIND, release)) / kind.NAME
    if not exe.exists():
        programs.go(release, ["build", "-o", str(exe), kind.PACKAGE],
                    folder=programs.PROGRAMS / "thirdparty" / kind.KIND)
    return exe


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]
