"""Figures for monitoring systems in their text format; labels name parts of the program, never people.

Several processes count into one folder when PROMETHEUS_MULTIPROC_DIR names it (`flask serve` does);
otherwise each answers for itself.
"""

import os
from collections.abc import Iterable, Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_OWN = CollectorRegistry()
_REQUESTS = Histogram(
    "tuyenhuan_request_seconds",
    "How long answers took, by endpoint",
    ("endpoint", "status"),
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=_OWN,
)
_WORK = Histogram(
    "tuyenhuan_job_seconds",
    "How long the clock's jobs took",
    ("job",),
    buckets=(0.05, 0.25, 1, 5, 15, 60, 300),
    registry=_OWN,
)
_FAILURES = Counter(
    "tuyenhuan_job_failures", "Jobs of the clock that failed and are tried again", ("job",),
    registry=_OWN,
)  # fmt: skip
_BUGS = Counter("tuyenhuan_bugs", "Answers 500, each with a reference in the log", registry=_OWN)


def note_request(endpoint: str, status: int, seconds: float) -> None:
    """Count an answer; the endpoint is the route's name, never the address that was asked for."""
    _requests_of(endpoint, status // 100).observe(seconds)


@cache
def _requests_of(endpoint: str, kind: int) -> Histogram:
    """The measure of one endpoint's answers of one kind; looking it up costs more than counting."""
    return _REQUESTS.labels(endpoint, f"{kind}xx")


def note_job(job: str, seconds: float, *, failed: bool) -> None:
    """Count a run of one of the clock's jobs."""
    _WORK.labels(job).observe(seconds)
    if failed:
        _FAILURES.labels(job).inc()


def note_bug() -> None:
    """Count an answer 500."""
    _BUGS.inc()


class _Figures(Collector):
    """Gauges that were read from the database for this one answer."""

    def __init__(self, gauges: Mapping[str, tuple[str, Mapping[str, float]]]) -> None:
        self.gauges = gauges

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for name, (sentence, values) in self.gauges.items():
            family = GaugeMetricFamily(
                f"tuyenhuan_{name}", sentence, labels=("state",) if "" not in values else ()
            )
            for label, value in values.items():
                family.add_metric((label,) if label else (), value)
            yield family


def as_text(gauges: Mapping[str, tuple[str, Mapping[str, float]]]) -> bytes:
    """Everything counted so far and the gauges: name → (sentence, {state or "": value})."""
    shown = CollectorRegistry()
    if os.environ.get(FOLDER_VARIABLE):
        MultiProcessCollector(shown)  # type: ignore[no-untyped-call]  # has no types
        shown.register(_Figures(gauges))
        return generate_latest(shown)
    shown.register(_Figures(gauges))
    return generate_latest(_OWN) + generate_latest(shown)
