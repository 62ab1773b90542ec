"""Objects in the provider's shapes as files: JSON as its lists are, NDJSON, CSV; written one by one, whole or not at all."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from metering.durable import replaced
from metering.model.errors import MisuseError
from metering.reporting.files import csv_writer, spreadsheet_text

# The columns of each export in CSV, where what is nested in JSON stands flat.
COLUMNS: dict[str, tuple[str, ...]] = {
    "ledger": (
        "id", "time", "poll_time", "billing_cycle", "interval", "human_interval", "amount", "initial", "end", "resource_amount",
        "reason", "account", "location", "currency",
    ),
    "dailyburst": ("date", "amount", "resource_type", "usage", "account", "location", "currency"),
    "currentusage": ("time", "account", "location", "currency", "burst", "subscribed", "using"),
}  # fmt: skip
_FIGURES = ("amount", "initial", "end")

Documents = Iterable[dict[str, Any]]


def provider_format(path: Path) -> str:
    """Tell the format of a file in the provider's shape by its name.

    Raises:
        MisuseError: the ending is none that is written.
    """
    form = {".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv"}.get(path.suffix.lower())
    if form is None:
        raise MisuseError(f"{path} tells no format: end it in .json, .ndjson or .csv")
    return form


def write_objects(name: str, objects: Documents, path: Path) -> int:
    """Write an export to a file, in the format that its name tells, and give the number of objects.

    Raises:
        InputError: the file cannot be written; it stays as it was.
    """
    form = provider_format(path)
    with replaced(path) as place, place.open("w", encoding="utf-8", newline="") as file:
        if form == "csv":
            return _write_csv(file, COLUMNS[name], objects)
        return _write_json(file, objects) if form == "json" else _write_ndjson(file, objects)


def _write_json(file: IO[str], objects: Documents) -> int:
    """Write a list as the provider answers it: `meta` and `objects`."""
    count = 0
    file.write('{"objects": [')
    for count, each in enumerate(objects, start=1):
        file.write(("\n" if count == 1 else ",\n") + json.dumps(each, ensure_ascii=False))
    file.write(f'\n], "meta": {{"limit": 0, "offset": 0, "total_count": {count}}}}}\n')
    return count


def _write_ndjson(file: IO[str], objects: Documents) -> int:
    count = 0
    for count, each in enumerate(objects, start=1):  # noqa: B007 -- how many there were
        file.write(json.dumps(each, ensure_ascii=False) + "\n")
    return count


def _write_csv(file: IO[str], columns: Sequence[str], objects: Documents) -> int:
    count = 0
    writer = csv_writer(file)
    writer.writerow(columns)
    for count, each in enumerate(map(_flat, objects), start=1):  # noqa: B007 -- how many there were
        writer.writerow([_cell(column, each[column]) for column in columns])
    return count


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    """Bring what is nested to the top, but for what names a resource, which is the same in every row."""
    return dict(_leaves(document))


def _leaves(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield name, value


def _cell(column: str, value: Any) -> str:
    text = "" if value is None else str(value)
    return text if column in _FIGURES else spreadsheet_text(text)
