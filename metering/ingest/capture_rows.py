"""Raw listings as SQL that gives raw rows: each capture as a heartbeat, and each object that it lists."""

from pathlib import Path

from metering.engine.duckdb import quoted, read_files
from metering.ingest.raw_rows import json_text, numbered, raw_rows
from metering.model.limits import ReadingLimits

# Rows of one capture line belong together whatever other files say: the listing's number keeps them apart.
_LISTINGS_PER_FILE = 2**40
# What is read of a capture, and of each object that it lists; all at once, because each look at a JSON text reads it anew.
_CAPTURE_PATHS = (
    "poll_time", "endpoint", "account", "date", "response.meta.limit", "response.meta.offset", "response.meta.total_count",
    "response.objects",
)  # fmt: skip
_OBJECT_PATHS = (
    "uuid", "location", "allocated_size", "drive.uuid", "drive_meta.src_uuid", "status", "name", "owner.uuid", "drive_meta.size",
)  # fmt: skip
# Where something is read, a key may stand once only: of two, DuckDB gives one.
_CAPTURE_PARTS = ("$", "$.response", "$.response.meta")
_OBJECT_PARTS = ("$", "$.owner", "$.drive", "$.drive_meta")
_HEAD_COLUMNS = ("poll_time", "endpoint", "account")
# Captures of this size are taken apart once and kept; larger ones, which memory might not hold, once for polls and again for
# objects.
_KEPT_BYTES = 32 * 2**20


def captures(plains: dict[int, Path], limits: ReadingLimits) -> str:
    """Give each capture of files, by number, as a heartbeat, which makes its poll known, and one row an object that it lists."""
    kept = "materialized" if sum(plain.stat().st_size for plain in plains.values()) <= _KEPT_BYTES else "not materialized"
    listing = f"row_number + cast(file_number as bigint) * {_LISTINGS_PER_FILE:d}"
    head = {"file_number": "file_number", "listing": listing, **{name: name for name in _HEAD_COLUMNS}}
    told = {name: name for name in ("answered_s", "problem", "problem_value")}
    polls = raw_rows(head | told, "capture_lines")
    lines, objects = _capture_lines(plains, limits), _listed_objects(head)
    return f"with capture_lines as {kept} ({lines}) {polls} union all by name {objects}"


def _picks(document: str, paths: tuple[str, ...]) -> str:
    return f"json_extract({document}, [{', '.join(quoted('$.' + path) for path in paths)}])"


def _keys(document: str, parts: tuple[str, ...]) -> str:
    return f"json_keys({document}, [{', '.join(map(quoted, parts))}])"


def _key_twice(parts: tuple[str, ...]) -> str:
    """Give the SQL that tells whether a key stands twice in one of the `parts` of a document whose `keys` were taken."""
    return " or ".join(f"len(keys[{i}]) <> len(list_distinct(keys[{i}]))" for i in range(1, len(parts) + 1))


def _numbered_lines(plains: dict[int, Path], limits: ReadingLimits) -> str:
    # No line is longer than its file; a buffer for the longest that may be costs more than to read a collector's cycle.
    longest = min(limits.listing_bytes, max(limits.line_bytes, *(plain.stat().st_size for plain in plains.values())))
    # Where lines end is the only delimiter, so a line is one column: customers may write any other character into a name.
    options = (
        f"auto_detect=false, header=false, delim='\n', quote='', escape='', columns={{'line': 'VARCHAR'}}, "
        f"max_line_size={longest:d}, buffer_size={longest:d}, strict_mode=false, compression='none'"
    )
    lines = numbered({number: read_files("csv", [plain], options) for number, plain in plains.items()})
    return (
        "(select file_number, row_number, line, case when json_valid(line) then json_type(line) end as kind "
        f"from ({lines}) where trim(line) <> '')"
    )


def _capture_lines(plains: dict[int, Path], limits: ReadingLimits) -> str:
    """Take from each line what it says of its poll, what is wrong with that, and its objects.

    Where a line is no JSON object, an empty one stands in, so that all SQL holds.
    """
    document = "case when kind = 'OBJECT' then line else '{}' end"
    parted = (
        f"(select file_number, row_number, line, kind, {_keys(document, _CAPTURE_PARTS)} as keys, "
        f"{_picks(document, _CAPTURE_PATHS)} as said from {_numbered_lines(plains, limits)})"
    )
    at = {path.rpartition(".")[2]: f"said[{i}]" for i, path in enumerate(_CAPTURE_PATHS, start=1)}
    limit, offset, total = (f"try_cast({json_text(at[name])} as bigint)" for name in ("limit", "offset", "total_count"))
    count = f"json_array_length({at['objects']})"
    wrong = " ".join(f"when {_no_text(at[name])} then '{name}.no_text'" for name in _HEAD_COLUMNS)
    problem = (
        "case when kind is null then 'line.json' when kind <> 'OBJECT' then 'line.object' "
        f"when {_key_twice(_CAPTURE_PARTS)} then 'line.key_twice' {wrong} "
        f"when coalesce({json_text(at['endpoint'])}, '') = '' then 'endpoint.missing' "
        f"when json_type({at['objects']}) is distinct from 'ARRAY' then 'response.no_listing' "
        f"when {count} > {limits.objects:d} then 'response.too_many' "
        # A page is no listing: it was cut at its limit, and the provider knows of more. Nor is what lists fewer than there are, for
        # whatever reason; what lists more is whole, as for the collector (listing.py).
        f"when {limit} > 0 and {count} >= {limit} and {total} > {count} or {offset} > 0 then 'response.incomplete' "
        f"when {total} > {count} then 'response.short' end"
    )
    texts = ", ".join(f"{json_text(at[name])} as {name}" for name in _HEAD_COLUMNS)
    return (
        f"select file_number, row_number, {texts}, {_answered_seconds(json_text(at['date']))} as answered_s, {problem} as problem, "
        f"left(line, 200) as problem_value, "
        f"case when {count} <= {limits.objects:d} then {at['objects']} end as objects from {parted}"
    )


def _listed_objects(head: dict[str, str]) -> str:
    at = {path: f"found[{i}]" for i, path in enumerate(_OBJECT_PATHS, start=1)}
    wrong = " ".join(
        f"when {_no_text(at[path])} then '{column}.no_text'"
        for column, path in (
            ("snapshot", "uuid"), ("location", "location"), ("status", "status"), ("name", "name"), ("drive", "drive.uuid"),
        )
    )  # fmt: skip
    owner, uuid, size = (json_text(at[path]) for path in ("owner.uuid", "uuid", "allocated_size"))
    problem = (
        "case when json_type(object) is distinct from 'OBJECT' then 'response.no_object' "
        f"when {_key_twice(_OBJECT_PARTS)} then 'response.key_twice' "
        f"when {_no_text(at['owner.uuid'])} then 'owner.no_text' when coalesce({owner}, '') = '' then 'owner.missing' "
        # What belongs to another account is not billed from this poll, so nothing more is asked of it.
        f"when {owner} <> account then null "
        f"{wrong} when coalesce({uuid}, '') = '' then 'snapshot.missing' "
        f"when json_type({at['allocated_size']}) not in ('UBIGINT', 'BIGINT', 'HUGEINT', 'NULL') "
        "then 'allocated_size.no_integer' end"
    )
    values = {
        "location": json_text(at["location"]),
        "snapshot": uuid,
        "allocated_size": size,
        # Deleting a drive leaves its snapshots: what drive it was is still known from their metadata.
        "drive": f"coalesce({json_text(at['drive.uuid'])}, {json_text(at['drive_meta.src_uuid'])})",
        "status": json_text(at["status"]),
        "name": json_text(at["name"]),
        "owner": owner,
        "drive_size": json_text(at["drive_meta.size"]),
        "problem": problem,
        "problem_value": f"coalesce({size}, left(cast(object as varchar), 200))",
    }
    kept = f"file_number, row_number, {', '.join(_HEAD_COLUMNS)}"
    objects = (
        f"(select {kept}, object, {_picks('object', _OBJECT_PATHS)} as found, {_keys('object', _OBJECT_PARTS)} as keys from "
        f"(select {kept}, unnest(cast(objects as json[])) as object from capture_lines where json_type(objects) = 'ARRAY'))"
    )
    return raw_rows(head | values, objects)


def _answered_seconds(text: str) -> str:
    """Give the provider's own clock, the `Date` of its answer, in whole seconds; null where the capture tells none."""
    read = f"try_strptime({text}, ['%a, %d %b %Y %H:%M:%S GMT', '%Y-%m-%dT%H:%M:%SZ'])"
    return f"date_diff('second', timestamp '1970-01-01 00:00:00', {read})"


def _no_text(value: str) -> str:
    return f"({value} is not null and json_type({value}) not in ('VARCHAR', 'NULL'))"
