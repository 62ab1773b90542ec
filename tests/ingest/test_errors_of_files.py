"""What is wrong with a file is said in one line, and the next ingest finds everything as it was."""

import gzip

import pytest

import metering
from metering.model.errors import InputError

CAPTURE = '{"poll_time": "2026-10-01T00:00:00Z", "endpoint": "ZRH", "account": "a1", "response": {"meta": {}, "objects": []}}\n'
SAMPLES = "poll_time,location,account,snapshot,allocated_size\n2026-10-01T00:00:00Z,ZRH,a1,s1,5\n"


def test_a_compressed_capture_that_is_cut_off_is_refused_in_one_line(tmp_path):
    whole = gzip.compress(CAPTURE.encode() * 1_000)
    (tmp_path / "cut.capture.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    with metering.open(":memory:") as meter, pytest.raises(InputError, match=r"cut\.capture\.ndjson\.gz cannot be read"):
        meter.ingest(tmp_path)


def test_after_a_refused_ingest_the_same_meter_takes_the_next_one(tmp_path):
    (tmp_path / "cut.capture.ndjson.gz").write_bytes(gzip.compress(CAPTURE.encode())[:-12])
    (tmp_path / "samples.csv").write_text(SAMPLES)
    with metering.open(":memory:") as meter:
        with pytest.raises(InputError):
            meter.ingest(tmp_path)
        assert meter.ingest(tmp_path / "samples.csv").polls.accepted == 1


def test_a_file_with_a_rejected_row_is_closed_again(tmp_path):
    (tmp_path / "samples.csv").write_text(SAMPLES + "2026-10-01T00:05:00Z,ZRH,a1,s1,-5\n")
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(tmp_path)
    assert [(rejection.line, rejection.reason) for rejection in outcome.rejections] == [(3, "is negative")]


@pytest.mark.parametrize("name", ["samples.csv", "whatever.csv"])
def test_a_comment_before_a_header_is_told_to_be_none(tmp_path, name):
    (tmp_path / name).write_text("# of October\npoll_time,location,account,snapshot,allocated_size\n")
    with (
        metering.open(":memory:") as meter,
        pytest.raises(InputError, match=r"begins with '#', and CSV facts have no comments: remove what stands before the header$"),
    ):
        meter.ingest(tmp_path / name)


def test_a_column_may_begin_with_a_sign_that_comments_have(tmp_path):
    (tmp_path / "samples.csv").write_text(
        "#,poll_time,location,account,snapshot,allocated_size\n"
        "1,2026-10-05T00:00:00Z,ZRH,a,s,5\n# 2,2026-10-05T00:05:00Z,ZRH,a,s,5\n"
    )
    with metering.open(":memory:") as meter:
        assert meter.ingest(tmp_path).polls.accepted == 2
