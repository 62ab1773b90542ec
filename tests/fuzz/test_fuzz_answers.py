"""Whatever a server answers is a whole list or no list, with a cause; never a traceback, and never without end."""

import asyncio
import gzip
import json

import pytest
from hostile_files import HARD, tried
from hypothesis import given
from hypothesis import strategies as st

from metering.collector.client import Answer, _parsed, _Unfolder
from metering.collector.listing import assert_list, complete_listing
from metering.ingest.failure import RequestFailure
from metering.ingest.strict_json import loads_object
from metering.model.limits import ReadingLimits

SOUND = {
    "meta": {"limit": 0, "offset": 0, "total_count": 2},
    "objects": [{"uuid": "a", "allocated_size": 5}, {"uuid": "b", "allocated_size": 7}],
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.text(max_size=4) | st.sampled_from(["a", "b", 0, 1, 2, 20]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["uuid", "x", "limit"]), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.fixed_dictionaries({"uuid": VALUES | st.sampled_from(["a", "b", "c"])}) | VALUES, max_size=4)
PAGES = st.fixed_dictionaries({
    "meta": st.fixed_dictionaries({"limit": st.integers(-1, 30), "offset": st.integers(0, 3), "total_count": st.integers(-1, 5)}) | VALUES,
    "objects": OBJECTS | VALUES,
})  # fmt: skip


@st.composite
def bodies(draw):
    """An answer: sound, of any values, or with a few bytes changed."""
    text = json.dumps(draw(st.just(SOUND) | PAGES | PAGES)).encode()
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(HARD) | st.binary(max_size=3)) + text[at + draw(st.integers(0, 2)) :]
    return text


def listed(answers):
    left, asked = list(answers), []

    async def ask(params):
        asked.append(params)
        body = left.pop(0) if left else answers[-1]
        text, document = _parsed(body, 32)
        assert_list(document)
        return Answer(text, document, 0, None, len(body))

    try:
        listing = asyncio.run(complete_listing(ask, lambda found: found["uuid"], limits=ReadingLimits(response_bytes=10**6)))
    except RequestFailure as failure:
        assert failure.cause in ("malformed", "incomplete")  # noqa: PT017 -- either of two outcomes
        assert "\n" not in str(failure)  # noqa: PT017
        return None
    assert len(asked) < 100
    assert [found["uuid"] for found in loads_object(listing.text, 32)["objects"]] == [found["uuid"] for found in listing.objects]
    return listing


@tried(15)
@given(st.lists(bodies(), min_size=1, max_size=4))
def test_any_answers_are_a_whole_list_or_none(answers):
    listed(answers)


def test_a_sound_answer_is_a_whole_list():
    assert [found["uuid"] for found in listed([json.dumps(SOUND).encode()]).objects] == ["a", "b"]


@pytest.mark.parametrize("name", [["a"], {"a": 1}, None, 1.5, [], True])
def test_an_identity_that_is_none_is_no_list(name):
    answer = json.dumps(SOUND | {"objects": [{"uuid": name}, {"uuid": "b"}]}).encode()
    listing = listed([answer])
    assert listing is None or len(listing.objects) == 2


@tried(15)
@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(0, 60))
def test_any_stream_is_unfolded_within_its_bound_or_refused(parts, most_bytes):
    for packed in (True, False):
        unfolder = _Unfolder(most_bytes, packed=packed)
        try:
            for part in parts:
                unfolder.feed(part)
            assert len(unfolder.end()) <= most_bytes
        except RequestFailure as failure:
            assert failure.cause in ("malformed", "too_large")  # noqa: PT017 -- one of several outcomes
            assert packed or failure.cause == "too_large"  # noqa: PT017 -- what is not packed can only be too long


def test_a_packed_stream_that_unfolds_to_nothing_comes_to_an_end():
    """A member of no bytes takes twenty: of such, a stream has no end, and all that came of them would be within any bound."""
    unfolder, member = _Unfolder(10_000, packed=True), gzip.compress(b"")
    unfolder.feed(member * (10_000 // len(member)))
    with pytest.raises(RequestFailure, match="too_large: the answer is larger than 10000 bytes"):
        unfolder.feed(member)
