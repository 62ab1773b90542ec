"""A list is whole or it is none, whatever the server does between two pages."""

import asyncio
import json

import pytest
from hostile_files import tried
from hypothesis import given
from hypothesis import strategies as st

from metering.collector.client import Answer
from metering.collector.listing import complete_listing
from metering.ingest.failure import RequestFailure
from metering.ingest.strict_json import item_texts, loads_object, member_texts
from metering.model.limits import ReadingLimits

MOST_BYTES = 10**6


class Server:
    """Gives a list in pages, and changes it before each page as it was told."""

    def __init__(self, names, *, cap=0, changes=(), meta=lambda meta, _shown: meta, more=""):
        self.names, self.cap, self.changes, self.meta, self.more = list(names), cap, list(changes), meta, more
        self.passes = []

    async def ask(self, params):
        if self.changes:
            self.changes.pop(0)(self.names)
        limit, offset = params["limit"], params.get("offset", 0)
        if not offset:
            self.passes.append([])
        self.passes[-1].append(list(self.names))
        limit = min(limit or self.cap, self.cap) if self.cap else limit
        shown = self.names[offset : offset + limit] if limit else self.names[offset:]
        meta = self.meta({"limit": limit, "offset": offset, "total_count": len(self.names)}, shown)
        text = json.dumps({"meta": meta, "objects": [{"uuid": name, "size": f"of {name}, {{[,]}}"} for name in shown]}, indent=1)
        text = text.replace("{", "{" + self.more, 1)
        return Answer(text, loads_object(text, 32), 0, None, len(text))

    def listing(self):
        return asyncio.run(complete_listing(self.ask, lambda found: found["uuid"], limits=ReadingLimits(response_bytes=MOST_BYTES)))


def names_in(listing):
    return [found["uuid"] for found in listing.objects]


@tried(100)
@given(st.integers(0, 60), st.integers(0, 70))
def test_a_list_at_rest_comes_whole_whatever_the_cap(count, cap):
    names = [f"s{number}" for number in range(count)]
    listing = Server(names, cap=cap).listing()
    assert names_in(listing) == names
    again = loads_object(listing.text, 32)
    assert again["objects"] == listing.objects
    assert again["meta"]["total_count"] == count
    assert listing.flags == []


def delete(position):
    def change(names):
        if names:
            del names[position % len(names)]

    return change


def insert(position, name):
    return lambda names: names.insert(position % (len(names) + 1), name)


CHANGES = st.lists(
    st.one_of(
        st.just(lambda _names: None),
        st.integers(0, 99).map(delete),
        st.tuples(st.integers(0, 99), st.uuids().map(str)).map(lambda where: insert(*where)),
    ),
    max_size=5,
)


@tried(100)
@given(st.integers(0, 30), st.integers(2, 12), CHANGES)
def test_what_is_taken_holds_each_object_once_and_all_that_were_there_all_the_time(count, cap, changes):
    server = Server([f"s{number}" for number in range(count)], cap=cap, changes=changes)
    listing = server.listing()  # changes come to an end, and a list at rest is whole
    found = names_in(listing)
    assert len(found) == len(set(found))
    states = [set(names) for names in server.passes[-1]]
    assert set.intersection(*states) <= set(found) <= set.union(*states)


TOLD = {
    "a count of 0": lambda meta, _shown: meta | {"total_count": 0},
    "a count that is too low": lambda meta, _shown: meta | {"total_count": min(3, meta["total_count"])},
    "a count that is one too low": lambda meta, _shown: meta | {"total_count": max(0, meta["total_count"] - 1)},
    "a count of 0 and no limit": lambda meta, _shown: {"total_count": 0, "offset": meta["offset"]},
    "a count of 0 and no limit of its own": lambda meta, _shown: meta | {"total_count": 0, "limit": 0},
    "no limit": lambda meta, _shown: {name: meta[name] for name in ("total_count", "offset")},
    "only the right count": lambda meta, _shown: {"total_count": meta["total_count"]},
}


@tried(100)
@given(st.integers(0, 60), st.integers(0, 70), st.sampled_from(sorted(TOLD)))
def test_what_is_told_wrongly_of_a_list_loses_nothing_of_it(count, cap, told):
    names = [f"s{number}" for number in range(count)]
    assert names_in(Server(names, cap=cap, meta=TOLD[told]).listing()) == names


def test_a_page_whose_count_is_its_own_is_not_taken_for_the_list():
    counted = Server([f"s{number}" for number in range(50)], cap=20, meta=lambda meta, shown: meta | {"total_count": len(shown)})
    with pytest.raises(RequestFailure, match="incomplete: total_count changed from 20 to 12 between two pages"):
        counted.listing()


def test_a_number_of_more_digits_than_python_reads_is_joined_as_it_came():
    digits = "9" * 6_000
    listing = Server([f"s{number}" for number in range(30)], cap=10, more=f'"more": [{digits}, {digits}e5],').listing()
    assert f'"more": [{digits}, {digits}e5]' in listing.text
    assert len(listing.objects) == 30


def test_a_list_that_never_comes_to_rest_is_incomplete():
    server = Server([f"s{number}" for number in range(30)], cap=10, changes=[delete(0)] * 9)
    with pytest.raises(RequestFailure, match=r"incomplete: .* 3 times over"):
        server.listing()


def test_an_object_that_is_listed_twice_with_two_contents_is_no_list():
    async def ask(_params):
        text = '{"meta": {"total_count": 2, "limit": 0}, "objects": [{"uuid": "a", "size": 1}, {"uuid": "a", "size": 2}]}'
        return Answer(text, loads_object(text, 32), 0, None, len(text))

    with pytest.raises(RequestFailure, match=r"incomplete.*two contents"):
        asyncio.run(complete_listing(ask, lambda found: found["uuid"], limits=ReadingLimits(response_bytes=MOST_BYTES)))


def test_a_list_that_grows_beyond_the_bound_is_refused():
    server = Server([f"{number:0100}" for number in range(2_000)], cap=10)
    with pytest.raises(RequestFailure, match="larger than"):
        asyncio.run(complete_listing(server.ask, lambda found: found["uuid"], limits=ReadingLimits(response_bytes=50_000)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@tried(40)
@given(st.dictionaries(st.text(), JSON), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_an_object_is_taken_apart_into_the_very_texts_of_its_members(document, indent, ascii_only):
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    members = member_texts(text)
    assert {name: json.loads(part) for name, part in members.items()} == document
    assert all(part in text for part in members.values())


@tried(40)
@given(st.lists(JSON), st.sampled_from([None, 1, "\t"]))
def test_a_list_is_taken_apart_into_the_very_texts_of_its_items(items, indent):
    text = json.dumps(items, indent=indent)
    assert [json.loads(part) for part in item_texts(text)] == items
