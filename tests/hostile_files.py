"""Files that mean harm: sound ones with bytes changed, and what must come of them."""

import gzip
import os
import tempfile
from pathlib import Path

import zstandard
from hour_facts import HOUR, an_hour, csv_bytes, ndjson_bytes, write_parquet
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import metering
from metering.model.errors import MeteringError

# The same few in the suite, so that it fails for what was changed only; others, and more, on demand.
EXAMPLES = int(os.environ.get("METERING_EXAMPLES", "5"))
HOSTILE = {
    "deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": "METERING_EXAMPLES" not in os.environ,
}  # fmt: skip
FACTS = an_hour()


def tried(examples):
    """So many examples in the suite, others and more on demand; however loaded the machine is."""
    return settings(max_examples=int(os.environ.get("METERING_EXAMPLES", examples)), database=None, print_blob=True, **HOSTILE)


CAPTURE = (
    b'{"poll_time": "2026-10-05T00:00:00Z", "endpoint": "ZRH", "account": "a", "response": {"meta": {"limit": 0}, "objects": '
    b'[{"uuid": "s", "location": "ZRH", "allocated_size": 5, "owner": {"uuid": "a"}, "drive": null, "status": "available"}]}}\n'
)


def parquet_bytes(rows, **types):
    with tempfile.TemporaryDirectory() as folder:
        write_parquet(Path(folder) / "x.parquet", rows, **types)
        return (Path(folder) / "x.parquet").read_bytes()


SEEDS = {
    "samples.csv": csv_bytes(FACTS["samples"][:12]),
    "samples.ndjson": ndjson_bytes(FACTS["samples"][:12]),
    "samples.csv.gz": gzip.compress(csv_bytes(FACTS["samples"][:12])),
    "samples.ndjson.zst": zstandard.compress(ndjson_bytes(FACTS["samples"][:12])),
    "samples.parquet": parquet_bytes(FACTS["samples"][:12], allocated_size="bigint"),
    "x.capture.ndjson": CAPTURE * 3,
    "prices.csv": csv_bytes(FACTS["prices"]),
    "subscriptions.ndjson": ndjson_bytes(FACTS["subscriptions"]),
    "accounts.parquet": parquet_bytes(FACTS["accounts"]),
}
HARD = [
    b"", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b'"', b'""', b"\\", b",", b";", b"\r", b"\n", b"\r\n", b"{", b"[",
    b"}", b"NaN", b"1e999", b"-0", b"9" * 40, b"\\ud800", b"\\u0000", b"null", b"true", b"\xef\xbb\xbf", b"'", b"$1", b"%s", b"{}",
]  # fmt: skip


@st.composite
def mutated(draw, seed):
    """A sound file with a few bytes cut out, put in, doubled or flipped."""
    content = seed
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 1, 2, 5, 40])))
        put = draw(st.one_of(st.sampled_from(HARD), st.binary(max_size=8), st.just(content[start:end] * 2)))
        content = content[:start] + put + content[end:]
    return content


def taken_or_told(name, content):
    with tempfile.TemporaryDirectory() as folder, metering.open(":memory:", threads=1) as meter:
        (Path(folder) / name).write_bytes(content)
        try:
            outcome = meter.ingest(folder)
        except MeteringError as error:
            assert "\n" not in str(error).replace(folder, "")  # noqa: PT017 -- either of two outcomes
            return
        for rejection in outcome.rejections:
            assert rejection.line >= 1
            assert rejection.reason
        assert meter.ingest(folder).ingest_seq is None, "the same again is nothing new"
        try:
            meter.bill(HOUR)
        except MeteringError as error:
            assert str(error)  # noqa: PT017 -- either of two outcomes
