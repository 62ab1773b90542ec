"""Commands whose wrong values are told in plain words: what was given, and what is allowed.

Where typer has pydantic read values, it passes its words on: "Value error, …", "Input should be greater than or equal to 300".
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command that says in our words which value is wrong."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words behind the command's name."""
        with _in_our_words():
            return super().parse_args(ctx, args)


class Group(TyperGroup):
    """Commands under one name; a value that stands before a command's name is told alike."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words before the command's name."""
        with _in_our_words():
            return super().parse_args(ctx, args)


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except typer.BadParameter as error:
        from pydantic import ValidationError

        if isinstance(error.__cause__, ValidationError):
            error.message = _reworded(error.__cause__.errors()[0])
        raise


def _reworded(told: Any) -> str:
    given, limits = told["input"], told.get("ctx", {})
    if told["type"] == "value_error":
        return str(limits["error"])
    if told["type"].startswith("int_"):
        return f"{given!r} is no whole number"
    if "ge" in limits:
        return f"{given!r} is too small: {limits['ge']} is the least"
    if "le" in limits:
        return f"{given!r} is too large: {limits['le']} is the most"
    return f"{given!r}: {told['msg']}"
