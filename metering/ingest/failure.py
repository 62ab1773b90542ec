"""Why a request to the provider gave nothing: a cause to count by, and a detail for a person."""

from typing import Literal, get_args

Cause = Literal["credential", "timeout", "unreachable", "refused", "malformed", "too_large", "incomplete", "spool"]
CAUSES: tuple[Cause, ...] = get_args(Cause)


class RequestFailure(Exception):  # noqa: N818 -- a failure is counted and reported; it is no defect
    """A request that could not be answered.

    Its detail holds nothing that came from the other side but numbers and names from a list of ours: a provider that echoes
    a password must not bring it into a log.
    """

    def __init__(self, cause: Cause, detail: str, *, again: bool = False, after_s: int | None = None) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause: Cause = cause
        self.detail = detail
        self.again = again
        self.after_s = after_s


class ListChangedError(Exception):
    """A list that changed while its pages were read: what was read is no list of any instant."""
