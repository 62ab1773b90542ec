"""Errors that a user can act on: each is one line that says what is wrong and what to do.

A thing that cannot be processed (a bad row, a conflicting poll) is a *value* with a reason, not an exception. Exceptions are
for requests that cannot be answered at all.
"""


class MeteringError(Exception):
    """A request that cannot be answered; its text is one line for the user (exit code 1)."""


class InputError(MeteringError):
    """Facts that cannot be read at all: a missing column, an empty file, a path that is not there."""


class StoreError(MeteringError):
    """A store that cannot be used: held by another process, of a newer version, or no store."""


class EngineError(MeteringError):
    """An engine that cannot be used: not installed, not there, or not to be trusted with sums."""


class StoreHeldError(StoreError):
    """A store that another process holds, for longer than the bound: it is fine, and free later."""


class StoreMemoryError(StoreError):
    """An operation on a store that needs more memory than it may use: the store is fine, and less at once may fit."""


class NoDataError(MeteringError):
    """A question about a time of which the facts know nothing."""


def unknown_account(account: str, period: str, *, is_of_bought: bool = False) -> NoDataError:
    """Tell that an account has nothing in a period, and where to see who has."""
    nothing, report = ("neither usage nor a subscription", "cost") if is_of_bought else ("no usage", "usage")
    return NoDataError(f"account {account!r} has {nothing}: `metering report {report} --period {period}` names those that have")


class MisuseError(MeteringError):
    """A call whose words are wrong: a period that is none, a column that does not exist (exit code 2)."""
