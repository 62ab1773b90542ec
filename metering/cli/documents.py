"""JSON on stdout: what programs read. Nothing here waits for what draws tables."""

import json
import sys
from typing import Any

from pydantic_core import to_json

from metering.model.tables import printable


def print_json(document: Any) -> None:
    """Print a JSON document, or what has one; a large one is written as it is, without becoming a document first."""
    # The standard library's writer takes a Python call a value as soon as it indents; a bill has millions.
    text = to_json(document, indent=1).decode()
    if sys.stdout.isatty():
        text = "\n".join(map(_harmless, text.split("\n")))
    sys.stdout.write(text + "\n")


def _harmless(line: str) -> str:
    """Write what a terminal would obey, which stands in texts only, in the other way that JSON has for it."""
    return line if printable(line) == line else "".join(c if printable(c) == c else json.dumps(c)[1:-1] for c in line)
