"""The API itself, with its OpenAPI page: the routers, and refusals as the provider's lists of errors."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from metering import __version__
from metering.sandbox import server_control, server_drives, server_money, server_schema, server_snapshots, server_usage
from metering.sandbox.refusal import ErrorType, Refusal
from metering.sandbox.server_call import reply


def create_api() -> FastAPI:
    """Make the API itself, with its OpenAPI page; it expects the front before it."""
    api = FastAPI(
        title="Sandbox of the provider's API 2.0",
        version=__version__,
        summary="Remote snapshots and what they cost, emulated: nothing here is real.",
        redirect_slashes=False,
    )
    api.include_router(server_schema.router)
    api.include_router(server_snapshots.router)
    api.include_router(server_drives.router)
    api.include_router(server_money.router)
    api.include_router(server_usage.router)
    api.include_router(server_control.router)
    api.add_exception_handler(Refusal, _refused)
    api.add_exception_handler(RequestValidationError, _not_valid)
    api.add_exception_handler(HTTPException, _http_error)
    return api


def _errors(status: int, errors: list[dict[str, str | None]], headers: dict[str, str] | None = None) -> Response:
    response = reply(errors, status)
    response.headers.update(headers or {})
    return response


async def _refused(_request: Request, error: Exception) -> Response:
    refusal = error if isinstance(error, Refusal) else Refusal(500, "backend", "")
    headers = {"WWW-Authenticate": 'Basic realm="sandbox"'} if refusal.status == HTTPStatus.UNAUTHORIZED else {}
    return _errors(refusal.status, refusal.errors, headers)


async def _not_valid(_request: Request, error: Exception) -> Response:
    """Say what is wrong with each field; a union of bodies says it for each, so the same is said once."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    said: dict[tuple[str, str | None], None] = {}
    for each in found:
        names = [str(part) for part in each["loc"][1:] if not (isinstance(part, str) and part.startswith(("New", "Snapshot")))]
        said[each["msg"], ".".join(names) or None] = None
    return _errors(400, [{"error_type": "validation", "error_message": text, "error_point": point} for text, point in said])


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- that is what it is registered for
    kinds: dict[int, ErrorType] = {404: "notexist", 401: "permission", 403: "permission"}
    refusal = Refusal(error.status_code, kinds.get(error.status_code, "validation"), str(error.detail))
    return _errors(error.status_code, refusal.errors, dict(error.headers or {}))
