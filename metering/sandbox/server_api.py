"""The API itself, with its OpenAPI page: the routers, and refusals as the provider's lists of errors."""

from http import HTTPStatus
from typing import get_args

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from metering import __version__
from metering.sandbox import server_control, server_drives, server_money, server_schema, server_snapshots, server_usage
from metering.sandbox.refusal import ErrorType, Refusal
from metering.sandbox.server_call import reply

# How the paths of validation errors name the alternatives that a body or a field has.
_TYPES = ("one", "many", "str", "int", "constrained-str", "constrained-int", "Reference")
_ERRORS = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["error_type", "error_message", "error_point"],
        "additionalProperties": False,
        "properties": {
            "error_type": {"type": "string", "enum": list(get_args(ErrorType))},
            "error_message": {"type": "string"},
            "error_point": {"type": ["string", "null"]},
        },
    },
}


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
    _describe_refusals(api)
    return api


def _describe_refusals(api: FastAPI) -> None:
    """Write the provider's refusals into the OpenAPI page; FastAPI's own 422 is never answered here."""
    document = api.openapi()
    document["components"]["schemas"]["Errors"] = _ERRORS
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Errors"}}}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            answers = operation["responses"]
            answers.pop("422", None)
            refusals = [400, 401, 403, 404, 406, 429]
            if "subscriptions" in path and operation.get("requestBody"):
                refusals.append(402)
            answers |= {str(status): {"description": HTTPStatus(status).phrase, "content": content} for status in refusals}


def _errors(status: int, errors: list[dict[str, str | None]], headers: dict[str, str] | None = None) -> Response:
    response = reply(errors, status)
    response.headers.update(headers or {})
    return response


async def _refused(_request: Request, error: Exception) -> Response:
    refusal = error if isinstance(error, Refusal) else Refusal(500, "backend", "")
    headers = {"WWW-Authenticate": 'Basic realm="sandbox"'} if refusal.status == HTTPStatus.UNAUTHORIZED else {}
    return _errors(refusal.status, refusal.errors, headers)


async def _not_valid(_request: Request, error: Exception) -> Response:
    """Say what is wrong with each field; where a field may be of several types, the same is said once."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    said: dict[tuple[str, str | None], None] = {}
    for each in found:
        names = [] if each["type"] == "json_invalid" else [str(part) for part in each["loc"][1:] if part not in _TYPES]
        said[each["msg"], ".".join(names) or None] = None
    return _errors(400, [{"error_type": "validation", "error_message": text, "error_point": point} for text, point in said])


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- that is what it is registered for
    kinds: dict[int, ErrorType] = {404: "notexist", 401: "permission", 403: "permission"}
    refusal = Refusal(error.status_code, kinds.get(error.status_code, "validation"), str(error.detail))
    return _errors(error.status_code, refusal.errors, dict(error.headers or {}))
