# SPDX-License-Identifier: Apache-2.0
"""A metrics store that others wrote (Prometheus), which scrapes us while it is asked.

Targets come and go in part, rules are evaluated, alerts fire, queries run.
"""

import http.server
import json
import threading
import time
import urllib.parse
import urllib.request
from typing import List

from lib import programs, thirdparty

TARGETS, SERIES = 20, 7500
SCRAPE_SECONDS = 5
CHURN, CHURN_SCRAPES = 10, 4  # one series in ten is another one after four scrapes
PAUSE = 0.5  # between queries
ROUTES = ("/api/orders", "/api/users", "/health", "/static/app.js", "/login")
QUERIES = ("sum by (route) (rate(shop_requests_total[1m]))",
           "topk(20, shop_requests_total)",
           "count by (pod, code) (shop_requests_total)",
           "histogram_quantile(0.9, sum by (le) (rate(shop_latency_bucket[1m])))")


class Metrics(thirdparty.Server):
    """See the module."""

    KIND, NAME = "metrics", "prometheus"
    PACKAGE = "github.com/prometheus/prometheus/cmd/prometheus"
    MIN_GOROUTINES = TARGETS
    MAX_LEFT_SHARE = 0.1  # it goes on evaluating its rules

    def words(self) -> List[str]:
        """See Server."""
        self.debug_port = self.port
        self._targets = self.with_peer(Targets())
        (self.folder / "rules.yml").write_text(RULES)
        jobs = "".join(JOB % {"number": i, "port": self._targets.port} for i in range(TARGETS))
        (self.folder / "prometheus.yml").write_text(CONFIG % SCRAPE_SECONDS + jobs)
        return ["--config.file=" + str(self.folder / "prometheus.yml"),
                "--storage.tsdb.path=" + str(self.folder / "data"),
                "--web.listen-address=%s:%d" % (thirdparty.HOST, self.port),
                "--log.level=warn"]

    def load(self, seconds: float) -> None:
        """See Server."""
        self.wait_until(lambda: self._get("/-/ready"))
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            now = time.time()
            answer = json.loads(self._get("/api/v1/query_range?" + urllib.parse.urlencode({
                "query": QUERIES[number % len(QUERIES)], "start": now - 60, "end": now,
                "step": 5})))
            if answer["status"] != "success":
                raise programs.Failure("a query of %s: %s" % (self.NAME, answer))
            number += 1
            time.sleep(PAUSE)

    def collect(self, times: int) -> None:
        """See Server; first what is scraped falls silent."""
        self._targets.pause()
        time.sleep(1)
        super().collect(times)

    def _get(self, path: str) -> bytes:
        url = "http://%s:%d%s" % (thirdparty.HOST, self.port, path)
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read()


class Listener(http.server.ThreadingHTTPServer):
    """Says nothing of scrapes that end early: the store dies at some time."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


class Targets(thirdparty.Threads):
    """What is scraped: /metrics/N for N below TARGETS."""

    def __init__(self) -> None:
        self._paused = threading.Event()
        self._server = Listener((thirdparty.HOST, 0), _handler(self._paused))
        self.port = self._server.server_address[1]
        super().__init__()

    def pause(self) -> None:
        """Answer late from now on."""
        self._paused.set()

    def run(self) -> None:
        """See Threads."""
        self._server.serve_forever(0.2)

    def close(self) -> None:
        """See Threads."""
        self._server.shutdown()
        super().close()
        self._server.server_close()


def _handler(paused: threading.Event) -> "type[http.server.BaseHTTPRequestHandler]":
    scrapes = [0] * TARGETS
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers scrapes."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # pylint: disable=invalid-name
            """Answer."""
            target = int(self.path.split("/")[2])
            with lock:
                scrapes[target] += 1
                number = scrapes[target]
            if paused.is_set():
                time.sleep(2 * SCRAPE_SECONDS)
            body = _page(target, number)
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:  # pylint: disable=arguments-differ
            """Say nothing."""

    return Handler


def _page(target: int, number: int) -> bytes:
    lines = ["# HELP shop_requests_total Requests by route and code.",
             "# TYPE shop_requests_total counter"]
    for i in range(SERIES * 4 // 5):
        generation = number // CHURN_SCRAPES if i % CHURN == 0 else 0
        lines.append('shop_requests_total{pod="shop-%d-%d",zone="zone-%d",route="%s",code="%d",'
                     'tenant="tenant-%d"} %d' % (target, generation, target % 3,
                                                 ROUTES[i % len(ROUTES)], 200 + i % 7, i,
                                                 number * (i % 100)))
    lines += ["# HELP shop_latency Seconds a request takes.", "# TYPE shop_latency histogram"]
    for i in range(SERIES // 5 // 10):
        label = 'route="%s",shard="%d"' % (ROUTES[i % len(ROUTES)], i)
        for le in range(9):
            lines.append('shop_latency_bucket{%s,le="%g"} %d'
                         % (label, 0.01 * 2**le, number * (le + i)))
        lines.append('shop_latency_bucket{%s,le="+Inf"} %d' % (label, number * (9 + i)))
        lines.append("shop_latency_sum{%s} %g" % (label, number * 0.7))
        lines.append("shop_latency_count{%s} %d" % (label, number * (9 + i)))
    return ("\n".join(lines) + "\n").encode()


CONFIG = """
global:
  scrape_interval: %ds
  evaluation_interval: 15s
rule_files: [rules.yml]
scrape_configs:
"""
JOB = """
  - job_name: shop%(number)d
    metrics_path: /metrics/%(number)d
    static_configs:
      - targets: ["127.0.0.1:%(port)d"]
        labels: {cluster: test, team: shop}
"""
RULES = """
groups:
  - name: recorded
    rules:
      - record: route:requests:rate1m
        expr: sum by (job, route, code) (rate(shop_requests_total[1m]))
      - record: tenant:requests:sum
        expr: sum by (tenant) (shop_requests_total)
  - name: alerts
    rules:
      - alert: Busy
        expr: topk(200, tenant:requests:sum)
        for: 1h
        labels: {severity: page}
        annotations: {summary: "{{ $labels.tenant }} sends {{ $value }}"}
"""
