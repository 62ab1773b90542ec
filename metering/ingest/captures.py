"""What the collector writes into its spool: raw responses, a line each.

`*.capture.ndjson.gz` holds complete listings of snapshots, one poll a line (INTERFACE.md). `*.answer.ndjson.gz` holds the other
answers (subscriptions, pricing, discount, balance, locations, usage), and each poll that failed or was odd, with its cause.
From these lines alone every number can be rebuilt.
"""

import json
from dataclasses import dataclass
from typing import Any

from metering.ingest.fact_models import MAX_IDENTIFIER_LENGTH, identifier
from metering.ingest.failure import RequestFailure
from metering.ingest.strict_json import is_text
from metering.model.period import instant_text

SNAPSHOTS = "remotesnapshots"
_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Source:
    """Where a response came from: the endpoint, the location it stands for, and the account that asked."""

    endpoint: str
    location: str
    account: str
    account_name: str = ""


def instant_us_text(instant_us: int) -> str:
    """Write microseconds as `2026-10-01T00:00:00.000000Z`."""
    return f"{instant_text(instant_us // 1_000_000)[:-1]}.{instant_us % 1_000_000:06d}Z"


def capture_line(source: Source, poll_us: int, response: str, **more: str) -> str:
    """Write a poll as a line of a capture; the response stays the text that came."""
    head = {"poll_time": instant_us_text(poll_us), "endpoint": source.endpoint, "account": source.account} | more
    return _line(head, response)


def answer_line(source: Source, resource: str, read_us: int, response: str) -> str:
    """Write any other answer as a line; the response stays the text that came."""
    return _line(_answer_head(source, resource, read_us), response)


def note_line(source: Source, resource: str, noted_us: int, outcome: str, cause: str, detail: str) -> str:
    """Write that asking failed, or that what was taken is odd, as a line."""
    head = _answer_head(source, resource, noted_us)
    return json.dumps(head | {"note": {"outcome": outcome, "cause": cause, "detail": detail}}, ensure_ascii=False)


def _answer_head(source: Source, resource: str, read_us: int) -> dict[str, str]:
    return {
        "poll_time": instant_us_text(read_us), "endpoint": source.endpoint, "account": source.account, "resource": resource,
        "location": source.location, "account_name": source.account_name,
    }  # fmt: skip


def _line(head: dict[str, str], response: str) -> str:
    # In valid JSON a line's end stands between values only, so a blank means the same.
    flat = response.replace("\r", " ").replace("\n", " ")
    return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "response": {flat}}}'


def snapshot_key(found: dict[str, Any]) -> str:
    """Tell a snapshot by its uuid."""
    return _identifier(found["uuid"])


def checked_snapshots(objects: list[dict[str, Any]], account: str) -> tuple[int, int]:
    """Check that every listed snapshot can be a sample, and count the account's own and those shared with it.

    What cannot be one would be rejected at ingest and its poll with it; refused here, the poll is asked for again.

    Raises:
        RequestFailure: an object lacks its owner, or one of the account's own is no sample; malformed.
    """
    owners = [_owner(found) for found in objects]
    if unknown := owners.count(None):
        # To pass over what may be the account's own would bill less without a word.
        said = f"{unknown} of {len(objects)} snapshots name no owner, and may be the account's own: ask the provider"
        raise RequestFailure("malformed", said, again=True)
    own = [found for found, owner in zip(objects, owners, strict=True) if owner == account]
    if problem := next(filter(None, map(_problem, own)), None):
        raise RequestFailure("malformed", problem, again=True)
    return len(own), len(objects) - len(own)


def _owner(found: dict[str, Any]) -> str | None:
    try:
        return _identifier(found["owner"]["uuid"])
    except (KeyError, TypeError, ValueError):
        return None


def _problem(found: dict[str, Any]) -> str | None:
    size, drive = found.get("allocated_size"), found.get("drive")
    if type(size) is not int or not 0 <= size <= _MAX_SIZE:
        return "a snapshot's allocated_size is no whole number of bytes"
    try:
        identifier(found["uuid"])
        identifier(found["location"])
        if drive is not None and drive.get("uuid") is not None:
            identifier(drive["uuid"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return "a snapshot's uuid, location or drive is no identifier"
    if not all(is_text(found.get(name)) for name in ("status", "name")):
        return "a snapshot's status or name is no text"
    return None


def _identifier(value: Any) -> str:
    """Give what tells one object from another, whoever owns it."""
    if not is_text(value) or not value or len(value) > MAX_IDENTIFIER_LENGTH:
        raise ValueError("is no identifier")
    return str(value)
