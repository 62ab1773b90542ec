"""Text files of facts, line by line and record by record.

DuckDB reads sound files in bulk; this reads small tables, headers, and files that DuckDB refuses, and says of each damaged line
what is wrong with it, so that nothing else in the file is lost. Compressed files are unpacked here and their checksums verified:
a reader that stops at the end of what is there would take a file that was cut off for a whole one.
"""

import csv
import gzip
import io
import re
import sys
import zlib
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

from metering.ingest.strict_json import NestingError, NoObjectError, loads_members
from metering.model.errors import InputError
from metering.model.limits import ReadingLimits, raised_by

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_MAX_RECORD_LINES = 1_000
_PART_BYTES = 2**20
_SHOWN = 200

LINE_PROBLEMS = {
    "line.encoding": "is no UTF-8 text",
    "line.long": "is longer than limits.line_bytes (in a capture limits.listing_bytes)",
    "line.structure": "cannot be taken apart into the columns of the header",
    "line.json": "is no JSON",
    "line.object": "is no JSON object",
    "line.key_twice": "has a key twice",
    "line.deep": "is nested deeper than limits.depth",
}
_PROPERTY = re.compile(r'"(poll_time|endpoint|account|location)"\s*:\s*"([^"\\]*)"')
# Before a quote DuckDB passes over one space, behind it over all; where another quote follows these, the cell goes on.
_OPENED, _CLOSED = re.compile(' ?"'), re.compile('"( *)("?)')
_JSON_PROBLEMS: dict[type[Exception], str] = {NoObjectError: "line.object", NestingError: "line.deep"}
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, zstd.ZstdError)


@dataclass(frozen=True, slots=True)
class Record:
    """A row as its file has it: the line on which it begins, its cells by column, or what is wrong with the line.

    A damaged line has the cells that can still be told, so that its poll is known where possible, and the text to show.
    """

    line: int
    cells: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None
    shown: str = ""


def is_compressed(path: Path) -> bool:
    """Tell by the name whether a file is compressed."""
    return path.suffix.lower() in (".gz", ".zst")


def unpacked(path: Path, target: Path, limits: ReadingLimits, line_bytes: int) -> Path:
    """Give the path of a file's plain text: itself, or `target`, to which a compressed file is unpacked, checksums verified.

    Of a line that is much longer than `line_bytes`, the rest is left out: it is refused for its length all the same.

    Raises:
        InputError: the file is cut off or damaged, or unfolds without end.
    """
    if not is_compressed(path):
        return path
    with _damage_told(path), _stream(path) as packed, target.open("wb") as plain:
        size = length = 0
        while part := packed.read(_PART_BYTES):
            size += len(part)
            _assert_bounded(path, size, limits)
            last = part.rfind(b"\n")
            is_written = last >= 0 or length <= line_bytes
            length = len(part) - 1 - last if last >= 0 else length + len(part)
            if is_written:
                plain.write(part)
    return target


def _assert_bounded(path: Path, size: int, limits: ReadingLimits) -> None:
    if size > limits.unpacked_bytes:
        raise InputError(
            f"{path} unfolds to more than {limits.unpacked_bytes} bytes: nothing was taken; cut it into several files, or "
            f"{raised_by('unpacked_bytes')}"
        )


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Say in one line that a packed file is damaged, where reading it tells so."""
    try:
        yield
    except _DAMAGE as error:
        raise InputError(f"{path} cannot be read, it is cut off or damaged ({error}): nothing was taken; restore it") from None


def _stream(path: Path) -> IO[bytes]:
    match path.suffix.lower():
        case ".gz":
            return io.BufferedReader(gzip.open(path, "rb"), 2**20)
        case ".zst":
            return io.BufferedReader(zstd.open(path, "rb"), 2**20)
        case _:
            return path.open("rb")


def byte_lines(path: Path, limits: ReadingLimits, max_bytes: int, *, with_returns: bool = False) -> Iterator[bytes | None]:
    """Give a file's lines without their ends; None stands for a line that is longer than `max_bytes`.

    Where they may end within a cell, a carriage return is kept (`with_returns`): it may belong to the cell.

    Raises:
        InputError: the file is cut off or damaged, or unfolds without end.
    """
    with _damage_told(path), _stream(path) as stream:
        is_first, size, is_packed = True, 0, is_compressed(path)
        while line := stream.readline(max_bytes + 2):
            size += len(line)
            if is_packed:
                _assert_bounded(path, size, limits)
            is_whole = line.endswith(b"\n")
            line = line.rstrip(b"\n")
            line = line if with_returns else line.removesuffix(b"\r")
            if is_first:
                line, is_first = line.removeprefix(b"\xef\xbb\xbf"), False
            if len(line) <= max_bytes:
                yield line
                continue
            while not is_whole and (rest := stream.readline(2**20)):
                is_whole = rest.endswith(b"\n")
                size += len(rest)
                if is_packed:
                    _assert_bounded(path, size, limits)
            yield None


def first_line(path: Path, limits: ReadingLimits) -> tuple[int, str]:
    """Give the first line that is not blank, and its number.

    Raises:
        InputError: there is none, or it is no UTF-8 text, or too long for a header.
    """
    for number, line in enumerate(byte_lines(path, limits, limits.line_bytes), start=1):
        if line is None:
            raise InputError(
                f"{path} has a first line of more than {limits.line_bytes} bytes, which is no header: write it again, or "
                f"{raised_by('line_bytes')}"
            )
        if b"\x00" in line:
            break
        if line.strip():
            try:
                return number, line.decode()
            except UnicodeDecodeError:
                break
    else:
        raise InputError(f"{path} is empty: it lacks even a header; restore it, or remove it")
    raise InputError(f"{path} is no UTF-8 text: save it as CSV UTF-8, or write it again")


class _RecordLines:
    """The lines of one record after the other; those of a record that cannot be read are given back, but for its first."""

    def __init__(self, path: Path, skipped: int, limits: ReadingLimits) -> None:
        self._lines = islice(enumerate(byte_lines(path, limits, limits.line_bytes, with_returns=True), start=1), skipped, None)
        self._given_back: deque[tuple[int, bytes | None]] = deque()
        self.taken: list[tuple[int, bytes | None]] = []

    def __iter__(self) -> Iterator[str]:
        self.taken = []
        while len(self.taken) < _MAX_RECORD_LINES:
            line = self._given_back.popleft() if self._given_back else next(self._lines, None)
            if line is None:
                return
            self.taken.append(line)
            if line[1] is None:
                return
            yield line[1].decode() + "\n"

    def give_back(self, first: int = 1) -> None:
        self._given_back.extendleft(reversed(self.taken[first:]))

    @property
    def has_spaced_quotes(self) -> bool:
        return any(b' "' in line or b'" ' in line for _, line in self.taken if line is not None)


def csv_records(path: Path, columns: Sequence[str], delimiter: str, skipped: int, limits: ReadingLimits) -> Iterator[Record]:
    """Read a CSV file behind its header: blank lines are no records; where a record cannot be read, the next line begins anew."""
    csv.field_size_limit(limits.line_bytes)
    lines = _RecordLines(path, skipped, limits)
    while True:
        cells, problem = _next_cells(lines, delimiter, len(columns))
        if not lines.taken:
            return
        number, line = lines.taken[0]
        if line is None:
            problem = "line.long"
        if problem is not None:
            lines.give_back()
            yield _damaged_csv(number, line, problem, columns, delimiter)
        elif cells:
            yield Record(number, dict(zip(columns, cells, strict=True)))


def _next_cells(lines: _RecordLines, delimiter: str, count: int) -> tuple[list[str], str | None]:
    """Read one record as DuckDB reads it: delimiters more at the end say nothing, nor do spaces around quotes."""
    cells, problem = _read_cells(lambda: next(csv.reader(iter(lines), delimiter=delimiter, strict=True), []))
    if lines.has_spaced_quotes:
        lines.give_back(0)
        cells, problem = _read_cells(lambda: _spaced_cells(iter(lines), delimiter))
    if problem is not None:
        return [], problem
    while len(cells) > count and not cells[-1]:
        cells.pop()
    if cells and len(cells) != count:
        return [], "line.structure"
    return cells, None


def _read_cells(read: Callable[[], list[str]]) -> tuple[list[str], str | None]:
    try:
        return read(), None
    except csv.Error:
        return [], "line.structure"
    except UnicodeDecodeError:
        return [], "line.encoding"


def _spaced_cells(lines: Iterator[str], delimiter: str) -> list[str]:
    """Read a record of which cells in quotes may stand between spaces, which Python's reader takes for a part of them."""
    cells: list[str] = []
    text, at = next(lines), 0
    while True:
        if opened := _OPENED.match(text, at):
            cell, text, at = _quoted_cell(lines, text, opened.end())
        else:
            end = text.find(delimiter, at)
            cell = text[at:end] if end >= 0 else text[at:].removesuffix("\n").removesuffix("\r")
            at += len(cell)
            if "\r" in cell:
                raise csv.Error
        if len(cell) > csv.field_size_limit():
            raise csv.Error
        cells.append(cell)
        if text[at:] in ("\n", "\r\n"):
            return cells
        if not text.startswith(delimiter, at):
            raise csv.Error
        at += 1


def _quoted_cell(lines: Iterator[str], text: str, at: int) -> tuple[str, str, int]:
    """Read on behind a quote, over the ends of lines: the cell, the line where it ends, the place behind its quote and spaces."""
    parts, size = list[str](), 0
    while size <= csv.field_size_limit():
        closed = _CLOSED.search(text, at)
        if closed is None:
            part, text, at = text[at:], next(lines, ""), 0
        elif closed[2]:
            part, at = text[at : closed.start()] + (closed[1] or '"'), closed.end()
        else:
            return "".join([*parts, text[at : closed.start()]]), text, closed.end()
        if not text:
            break
        parts.append(part)
        size += len(part)
    raise csv.Error


def _damaged_csv(line: int, text: bytes | None, problem: str, columns: Sequence[str], delimiter: str) -> Record:
    shown = "" if text is None else text.decode(errors="replace").removesuffix("\r")
    try:
        cells = next(csv.reader([shown.replace("\0", "")], delimiter=delimiter), [])
    except csv.Error:
        cells = []
    return Record(line, dict(zip(columns, cells, strict=False)), problem, shown[:_SHOWN])


def json_records(path: Path, columns: Collection[str], limits: ReadingLimits) -> Iterator[Record]:
    """Read an NDJSON file: blank lines are no records; of `columns`, each may stand once in a line."""
    for number, line in enumerate(byte_lines(path, limits, limits.line_bytes), start=1):
        if line is None:
            yield Record(number, problem="line.long")
        elif line.strip():
            try:
                text = line.decode()
            except UnicodeDecodeError:
                yield _damaged_json(number, line.decode(errors="replace"), "line.encoding")
                continue
            try:
                members = loads_members(text, limits.depth)
            except ValueError as error:
                yield _damaged_json(number, text, _JSON_PROBLEMS.get(type(error), "line.json"))
                continue
            names = Counter(name for name, _ in members)
            if any(names[column] > 1 for column in columns):
                yield _damaged_json(number, text, "line.key_twice")
            else:
                yield Record(number, dict(members))


def _damaged_json(number: int, text: str, problem: str) -> Record:
    """Tell of a broken line which poll it belonged to, where that still stands there."""
    cells = dict(reversed(_PROPERTY.findall(text)))
    return Record(number, cells, problem, text[:_SHOWN])


def mend_lines(path: Path, target: Path, limits: ReadingLimits) -> Iterator[tuple[int, str]]:
    """Copy a file's lines to `target`, a blank line in the place of each that is damaged; give those lines and their problems."""
    with target.open("wb") as sound:
        for number, line in enumerate(byte_lines(path, limits, limits.listing_bytes), start=1):
            problem = "line.long" if line is None else None
            try:
                text = (line or b"").decode()
                if "\r" in text:
                    problem = "line.json"
            except UnicodeDecodeError:
                problem = "line.encoding"
            sound.write(b"\n" if problem else (line or b"") + b"\n")
            if problem:
                yield number, problem
