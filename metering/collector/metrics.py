"""A cycle in the text format of Prometheus, for its node exporter to pick up; written whole or not at all."""

from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, write_to_textfile

from metering.collector.cycle import CycleReport
from metering.durable import assert_replaceable
from metering.model.errors import InputError


class Metrics:
    """Counts cycles as long as the collector runs; counters begin at zero with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._registry = CollectorRegistry()
        counter = partial(Counter, registry=self._registry, namespace="metering")
        gauge = partial(Gauge, registry=self._registry, namespace="metering")
        self._polls = counter("polls", "Listings that are complete and durable.", ["endpoint"])
        self._samples = counter("samples", "Snapshots of the polled accounts in them.", ["endpoint"])
        self._failures = counter("failures", "Requests that gave nothing.", ["endpoint", "resource", "cause"])
        self._bytes = counter("received_bytes", "Bytes of answers, as they travelled.")
        self._cycles = counter("cycles", "Cycles that ended.")
        self._seconds = gauge("cycle_seconds", "How long the last cycle took.")
        self._started = gauge("cycle_started_timestamp_seconds", "When the last cycle began.")
        self._polled = gauge("last_poll_timestamp_seconds", "When a listing was last had.", ["endpoint"])
        self._skew = gauge("clock_skew_seconds", "How far the provider's clock is ahead of ours.", ["endpoint"])
        self._waiting = gauge("spool_waiting_files", "Durable files that are not in the store yet.")

    def write(self, report: CycleReport) -> None:
        """Count a cycle and write the file anew.

        Raises:
            InputError: the file cannot be written, or is none.
        """
        for endpoint, count in report.polled.items():
            self._polls.labels(endpoint).inc(count)
            self._samples.labels(endpoint).inc(report.sampled[endpoint])
            self._polled.labels(endpoint).set(report.started_us // 1_000_000)
        for failure in report.failures:
            self._failures.labels(failure.endpoint, failure.resource, failure.cause).inc()
        for endpoint, skew_s in report.skews.items():
            self._skew.labels(endpoint).set(skew_s)
        self._bytes.inc(report.received_bytes)
        self._cycles.inc()
        self._seconds.set(report.elapsed_ms / 1_000)
        self._started.set(report.started_us // 1_000_000)
        self._waiting.set(report.waiting_files)
        assert_replaceable(self._path)
        try:
            write_to_textfile(str(self._path), self._registry)
            # Counts of requests, for an exporter that runs as somebody else: the one file that is not its owner's only.
            self._path.chmod(0o644)
        except OSError as error:
            raise InputError(f"{self._path} cannot be written: {error.strerror}; name another with --metrics") from None
