"""JSON on stdout: what programs read. Nothing here waits for what draws tables."""

import sys
from typing import Any

from pydantic_core import to_json


def print_json(document: Any) -> None:
    """Print a JSON document, or what has one; a large one is written as it is, without becoming a document first."""
    # The standard library's writer takes a Python call a value as soon as it indents; a bill has millions.
    sys.stdout.write(to_json(document, indent=1).decode() + "\n")
