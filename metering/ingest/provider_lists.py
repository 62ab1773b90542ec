"""Lists that the provider answered, kept in files: JSON as it came, a plain JSON list, NDJSON, CSV, each also packed.

An object is given as its file has it, with the words that name its place. A file is read whole or refused: what is held against
our figures must not be half of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metering.ingest.files import csv_columns
from metering.ingest.strict_json import loads_document, loads_object
from metering.ingest.text import byte_lines, csv_records, first_line, is_compressed
from metering.model.errors import InputError, MisuseError
from metering.model.limits import DEFAULT_LIMITS, ReadingLimits, raised_by

# A list is read whole: so many times the longest line is the most.
_MOST_LINES = 4
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Listed:
    """An object of a list: where it stands, for messages, and what it says."""

    place: str
    cells: dict[str, Any]


def read_list(path: Path, limits: ReadingLimits = DEFAULT_LIMITS) -> Iterator[Listed]:
    """Read the objects of a list from a file, in the format that its name tells.

    Raises:
        MisuseError: the ending is none that is read.
        InputError: the file is not there, is damaged, is no strict JSON or CSV, or is one page of a longer list.
    """
    plain = path.with_suffix("") if is_compressed(path) else path
    readers = {".json": _json, ".ndjson": _ndjson, ".jsonl": _ndjson, ".csv": _csv}
    reader = readers.get(plain.suffix.lower())
    if reader is None:
        raise MisuseError(f"{path} tells no format: it must end in .json, .ndjson or .csv, or one of these and .gz or .zst")
    try:
        yield from reader(path, limits)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def listed_objects(place: str, document: dict[str, Any] | list[Any]) -> Iterator[Listed]:
    """Give the objects of one answer: of `objects` beside `meta`, or of a plain list.

    Raises:
        InputError: it is no list of objects, or its `meta` says that there are more.
    """
    objects = document.get("objects") if isinstance(document, dict) else document
    if not isinstance(objects, list):
        raise InputError(f"{place} is no list of the provider: it lacks objects")
    meta = document.get("meta") if isinstance(document, dict) else None
    count = meta.get("total_count") if isinstance(meta, dict) else None
    # It has been seen as 0 beside a full page, so only a count above what is there tells something.
    if type(count) is int and count > len(objects):
        raise InputError(f"{place} holds {len(objects)} of {count} objects: fetch them all, with limit=0")
    for number, each in enumerate(objects, start=1):
        if not isinstance(each, dict):
            raise InputError(f"{place} object {number} is no JSON object")
        yield Listed(f"{place} object {number}", each)


def _json(path: Path, limits: ReadingLimits) -> Iterator[Listed]:
    lines, size = [], 0
    for line in byte_lines(path, limits, limits.listing_bytes):
        size += 0 if line is None else len(line) + 1
        if line is None or size > _MOST_LINES * limits.listing_bytes:
            raise InputError(f"{path} is too long: keep a month in a file, or {raised_by('listing_bytes')}")
        lines.append(line)
    yield from listed_objects(path.name, _document(str(path), b"\n".join(lines), limits, whole=True))


def _ndjson(path: Path, limits: ReadingLimits) -> Iterator[Listed]:
    """Read an object a line; a line may also be a whole answer, for several are kept so."""
    for number, line in enumerate(byte_lines(path, limits, limits.listing_bytes), start=1):
        place = f"{path.name} line {number}"
        if line is None:
            raise InputError(f"{place} is too long: {raised_by('listing_bytes')}")
        if not line.strip():
            continue
        document = _document(place, line, limits, whole=False)
        if isinstance(document, dict) and "objects" not in document:
            yield Listed(place, document)
        else:
            yield from listed_objects(place, document)


def _document(place: str, text: bytes, limits: ReadingLimits, *, whole: bool) -> dict[str, Any] | list[Any]:
    try:
        return loads_document(text.decode(), limits.depth) if whole else loads_object(text.decode(), limits.depth)
    except UnicodeDecodeError:
        raise InputError(f"{place} is no UTF-8 text") from None
    except ValueError as error:
        raise InputError(f"{place} is no strict JSON: {str(error)[:_SHOWN]}; fetch it again") from None


def _csv(path: Path, limits: ReadingLimits) -> Iterator[Listed]:
    number, header = first_line(path, limits)
    delimiter, columns = csv_columns(path, header)
    if len(set(columns)) < len(columns):
        raise InputError(f"{path} names a column twice in its header")
    for record in csv_records(path, columns, delimiter, number, limits):
        if record.problem is not None:
            raise InputError(f"{path} line {record.line} cannot be taken apart into the columns of the header")
        yield Listed(f"{path.name} line {record.line}", {name: cell or None for name, cell in record.cells.items()})
