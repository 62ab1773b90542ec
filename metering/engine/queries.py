"""The SQL tree: one table a file, named like it, each with a header that a test checks against the SQL itself.

In a wheel the tree travels inside the package; in a checkout it stands beside it.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
HEADER_FIELDS = ("name", "grain", "reads", "params", "why")


@dataclass(frozen=True, slots=True)
class Query:
    """One query: the table it makes, what a row is, the tables it reads, its parameters, its reason and its text."""

    name: str
    grain: str
    reads: tuple[str, ...]
    params: tuple[str, ...]
    why: str
    sql: str


def queries_folder() -> Path:
    """Give the folder of the SQL tree, wherever the package was installed."""
    inside = _PACKAGE / "queries"
    return inside if inside.is_dir() else _PACKAGE.parent / "queries"


@cache
def load_query(name: str) -> Query:
    """Load a query by its path without ending, such as `billing/usage_steps`."""
    return parse_query((queries_folder() / f"{name}.sql").read_text(encoding="utf-8"))


def parse_query(text: str) -> Query:
    """Take a query's header and text apart.

    Raises:
        ValueError: the header lacks a field.
    """
    fields: dict[str, str] = {}
    field = ""
    lines = text.splitlines()
    body = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    for line in lines[:body]:
        words = line.removeprefix("--").strip()
        head, _, rest = words.partition(" ")
        if head in HEADER_FIELDS and line.startswith("-- ") and not line.startswith("--  "):
            field = head
            fields[field] = rest.strip()
        elif field:
            fields[field] += " " + words
    if missing := [field for field in HEADER_FIELDS if field not in fields]:
        raise ValueError(f"a query's header lacks {', '.join(missing)}")
    return Query(
        name=fields["name"],
        grain=fields["grain"],
        reads=_names(fields["reads"]),
        params=_names(fields["params"]),
        why=fields["why"],
        sql="\n".join(lines[body:]).strip(),
    )


def _names(text: str) -> tuple[str, ...]:
    return () if text in ("", "none") else tuple(name.strip() for name in text.split(","))
