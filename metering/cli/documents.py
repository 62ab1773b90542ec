"""JSON on stdout: what programs read. Nothing here waits for what draws tables."""

import json
import sys
from typing import Any

from pydantic_core import to_json

from metering.model.tables import printable


def print_json(document: Any) -> None:
    """Print a JSON document, or what has one; a large one is written as it is, without becoming a document first."""
    # The standard library's writer takes a Python call a value as soon as it indents; a bill has millions.
    text = to_json(document, indent=1).decode() + "\n"
    if sys.stdout.isatty():
        # JSON has another way to write what a terminal would obey, in text, which is the only place where it can stand.
        text = "".join(c if c == "\n" or printable(c) == c else json.dumps(c)[1:-1] for c in text)
    sys.stdout.write(text)
