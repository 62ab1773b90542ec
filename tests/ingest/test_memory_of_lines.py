"""A text file is read in bounded buffers, whatever its compression."""

import gzip
import json

import pytest

import metering

HEADER = "poll_time,location,account,snapshot,allocated_size\n"


def capture(uuid="s1"):
    listed = {"uuid": uuid, "location": "GVA", "allocated_size": 5, "owner": {"uuid": "a"}, "status": "available", "name": "n"}
    return {"poll_time": "2026-10-01T00:00:00Z", "endpoint": "GVA", "account": "a", "response": {"meta": {}, "objects": [listed]}}


@pytest.mark.parametrize("memory", ["400MB", "1200MB"])
def test_a_small_compressed_file_is_read_within_little_memory(tmp_path, memory):
    # DuckDB reserves sixteen of the longest lines for a compressed file unless it is told otherwise: 2 GiB for captures.
    (tmp_path / "samples.csv.gz").write_bytes(gzip.compress((HEADER + "2026-10-01T00:00:00Z,GVA,a,s2,7\n").encode()))
    (tmp_path / "b.capture.ndjson.gz").write_bytes(gzip.compress(json.dumps(capture() | {"endpoint": "ZRH"}).encode()))
    with metering.open(":memory:", memory=memory) as meter:
        assert meter.ingest(tmp_path).polls.accepted == 2
