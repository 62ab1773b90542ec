"""How the provider says no: a status and a list of error objects."""

from typing import Literal

ErrorType = Literal["validation", "notexist", "backend", "permission", "database", "concurrency", "billing", "payment"]


class Refusal(Exception):  # noqa: N818 -- the provider's word is no error of ours
    """A request that the provider refuses; `point` names the field that is to blame, if one is."""

    def __init__(self, status: int, kind: ErrorType, message: str, point: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.point = point

    @property
    def errors(self) -> list[dict[str, str | None]]:
        """The body of the refusal: the provider always answers with a list."""
        return [{"error_type": self.kind, "error_message": self.message, "error_point": self.point}]


def not_valid(message: str, point: str) -> Refusal:
    """Refuse what was submitted."""
    return Refusal(400, "validation", message, point)


def not_there(what: str, identifier: str) -> Refusal:
    """Refuse what is addressed but does not exist, or may not be seen, which is the same to the asker."""
    return Refusal(404, "notexist", f"{what} {identifier!r} does not exist")


def not_allowed(message: str) -> Refusal:
    """Refuse what may be seen but not done."""
    return Refusal(403, "permission", message)
