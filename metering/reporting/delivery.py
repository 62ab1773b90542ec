"""How an alert is delivered: posted to one address, signed, tried again, and never sent on to another.

The request is signed as Standard Webhooks has it, so that a receiver can check it with any library for that: `webhook-id` is the
alert's key, `webhook-timestamp` the second of the try, `webhook-signature` an HMAC-SHA256 over both and the body. The key is also
the `Idempotency-Key`. The secret comes from the environment only, and the certificate is verified; no redirect is followed, and
neither `.netrc` nor a proxy of the environment is heeded. An address may be a secret itself: then it comes from a file, and no
error repeats it beyond its host.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import os
import ssl
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import httpx
import stamina

from metering.collector.connections import tls_context, trouble_of_certificate, unlogged
from metering.collector.credentials import secret_in_file
from metering.collector.loops import run_to_end
from metering.collector.targets import LOOPBACK
from metering.model.errors import MeteringError, MisuseError
from metering.reporting.alerts import Alert

SECRET_VARIABLE = "METERING_NOTIFY_SECRET"  # noqa: S105 -- where the secret is, not what it is
_PREFIX = "whsec_"
_LEAST_BYTES = 24
_ATTEMPTS = 4
_FIRST_PAUSE, _LONGEST_PAUSE, _JITTER = timedelta(milliseconds=500), timedelta(seconds=15), timedelta(seconds=1)
# Seconds until an answer must be there: one that comes a byte at a time must not keep a job of cron for ever.
_TIMEOUT_S = 30
# Statuses that are worth another try.
_PASSING = (408, 425, 429)
_SERVER_ERROR = 500

# Another try is no news: what failed in the end is reported. Whoever configures logging still sees each.
logging.getLogger("stamina").addHandler(logging.NullHandler())


class DeliveryError(MeteringError):
    """An alert that was not delivered; `again` says whether another try may help."""

    def __init__(self, text: str, *, again: bool) -> None:
        super().__init__(text)
        self.again = again


class Mailbox:
    """One address that alerts are posted to, and the secret that they are signed with."""

    def __init__(
        self, url: str, secret: bytes, *, tls: ssl.SSLContext | None = None, clock: Callable[[], int] | None = None,
        timeout_s: int = _TIMEOUT_S,
    ) -> None:  # fmt: skip
        self.host = _address(url).netloc
        self._url = url
        self._secret = secret
        self._tls = tls
        self._clock = clock or (lambda: int(time.time()))
        self._timeout_s = timeout_s

    def post(self, alert: Alert) -> None:
        """Deliver an alert, or say why it was not.

        Raises:
            DeliveryError: the last try failed, or one failed in a way that another would not mend.
        """
        with unlogged():
            run_to_end(self._post(alert))

    async def _post(self, alert: Alert) -> None:
        context = stamina.retry_context(
            on=lambda error: isinstance(error, DeliveryError) and error.again, attempts=_ATTEMPTS, timeout=None,
            wait_initial=_FIRST_PAUSE, wait_max=_LONGEST_PAUSE, wait_jitter=_JITTER,
        )  # fmt: skip
        async with httpx.AsyncClient(
            verify=self._tls or tls_context([self._url]), trust_env=False, follow_redirects=False, timeout=self._timeout_s
        ) as client:
            async for attempt in context:
                with attempt:
                    await self._try(client, alert)

    async def _try(self, client: httpx.AsyncClient, alert: Alert) -> None:
        body = alert.text.encode()
        told = signed(alert.key, self._clock(), body, self._secret) | {
            "Content-Type": "application/json", "Idempotency-Key": alert.key, "User-Agent": "metering",
        }  # fmt: skip
        try:
            # What is answered beyond its status is not read.
            async with (
                asyncio.timeout(self._timeout_s),
                client.stream("POST", self._url, content=body, headers=told) as response,
            ):
                status = response.status_code
        except (TimeoutError, httpx.TimeoutException):
            raise DeliveryError(f"the alert was not delivered: {self.host} did not answer in time", again=True) from None
        except httpx.HTTPError as error:
            refusal = trouble_of_certificate(error)
            why = refusal or type(error).__name__
            raise DeliveryError(
                f"the alert was not delivered: no connection to {self.host} ({why})", again=refusal is None
            ) from None
        if not 200 <= status < 300:  # noqa: PLR2004 -- what HTTP calls success
            said = "a redirect, which is never followed" if 300 <= status < 400 else f"HTTP {status}"  # noqa: PLR2004
            again = status in _PASSING or status >= _SERVER_ERROR
            raise DeliveryError(f"the alert was not delivered: {self.host} answered {said}", again=again)


def mailbox(url: str) -> Mailbox:
    """Give the mailbox at an address, or at the one that `@FILE` holds, with the secret of the environment.

    Raises:
        MisuseError: the address is none that may be posted to, or there is no secret that is one.
        InputError: the file cannot be read, or others may read it.
    """
    # Arguments are for everybody to see who lists processes.
    if url.startswith("@"):
        url = secret_in_file(Path(url[1:]), "--notify:", "address")
    _address(url)
    return Mailbox(url, find_secret())


def find_secret() -> bytes:
    """Give the secret that alerts are signed with: the bytes of the text, or of its base64 after `whsec_`.

    Raises:
        MisuseError: there is none, or it is too short to sign anything; no error shows any of it.
    """
    text = os.environ.get(SECRET_VARIABLE, "")
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True) if text.startswith(_PREFIX) else text.encode()
    except (binascii.Error, ValueError):
        raise MisuseError(f"{SECRET_VARIABLE} is no base64 after {_PREFIX}") from None
    if len(secret) < _LEAST_BYTES:
        raise MisuseError(
            f"{SECRET_VARIABLE} must hold a secret of {_LEAST_BYTES} bytes or more to sign with: `openssl rand -hex 32` makes one"
        )
    return secret


def signed(key: str, now_s: int, body: bytes, secret: bytes) -> dict[str, str]:
    """Give the headers that sign a body, as Standard Webhooks has them."""
    digest = hmac.digest(secret, f"{key}.{now_s}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": key,
        "webhook-timestamp": str(now_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _address(url: str) -> SplitResult:
    """Read an address.

    Raises:
        MisuseError: it is none, holds a login, or would send an alert in the clear; its text is not repeated.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        # A name that no resolver takes is told before anything is computed, and not by whoever trips over it.
        (host or "").encode("idna")
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise MisuseError("--notify takes an address such as https://example.com/hooks/metering") from None
    if (
        parts.scheme not in ("http", "https")
        or not host
        or any(not character.isprintable() or character == " " for character in url)
    ):
        raise MisuseError("--notify takes an address such as https://example.com/hooks/metering")
    if parts.username is not None or parts.password is not None:
        raise MisuseError("--notify takes no login in its address: the signature tells who sent it")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise MisuseError(
            "--notify over http would send customers' figures in the clear: write https (http is for this machine only)"
        )
    return parts
