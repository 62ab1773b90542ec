"""What all who ask over HTTPS share: whom they trust, what is told of a connection that fails, and what no log is told."""

import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Iterable, Iterator

import httpx

# By the numbers that OpenSSL has for what it finds.
_CERTIFICATES = {
    (9,): "it begins later: set this machine's clock, if it is wrong, else whoever runs the server must set theirs",
    (10,): "it has expired: whoever runs the server must renew it, unless this machine's clock is wrong",
    (18,): "it is signed by itself, so nobody vouches for it: is the url right? else the server needs one of a known authority",
    (19, 20, 21): "no authority that is known issued it, or the server does not send the ones between: is the url right? else "
    "whoever runs the server must send the whole chain",
    (62, 64): "it is for another name: is the url right?",
}
_TOO_OLD = "it speaks TLS before 1.2 only, which is not safe: whoever runs the server must allow 1.2"
_TLS = {
    "TLSV1_ALERT_PROTOCOL_VERSION": _TOO_OLD,
    "UNSUPPORTED_PROTOCOL": _TOO_OLD,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it agrees to no way of TLS that is safe, or asks for a certificate of ours",
}


def tls_context(urls: Iterable[str]) -> ssl.SSLContext:
    """Make the context that verifies every certificate; one is enough for all addresses.

    Where all are plain http, which goes no further than this machine, it trusts nobody: to load the authorities takes time.
    """
    if any(url.lower().startswith("https:") for url in urls):
        return httpx.create_ssl_context(verify=True, trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def trouble_of_connecting(error: httpx.TransportError) -> str:
    """Tell why there is no connection, and what to do; nothing of it comes from the other side."""
    if (trouble := trouble_of_certificate(error)) is not None:
        return trouble
    for cause in _causes(error):
        if isinstance(cause, (ssl.SSLEOFError, ConnectionResetError)):
            return "it ends the connection before anything is agreed: is the url's https right?"
        if isinstance(cause, ssl.SSLError):
            return _TLS.get(cause.reason or "", "it speaks no TLS that we know: is the url's https right?")
        if isinstance(cause, socket.gaierror):
            return "its name is not known" if cause.errno == socket.EAI_NONAME else "its name cannot be looked up just now"
        if isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            return "no way leads there: is this machine's network up?"
    return "nobody answers there"


def trouble_of_certificate(error: BaseException) -> str | None:
    """Tell what is wrong with a certificate and what to do; None where the trouble is another."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            meaning = next(
                (meaning for codes, meaning in _CERTIFICATES.items() if cause.verify_code in codes), cause.verify_message
            )
            return f"its certificate is not valid: {meaning}"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and what led to it, the outermost first; of several addresses each had an error of its own."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__


@contextlib.contextmanager
def unlogged() -> Iterator[None]:
    """Keep an address, and an answer that repeats it or a login, out of what libraries log, whoever configured logging.

    While it lasts, they log no request of anybody else in this process either.
    """

    def is_told(_record: logging.LogRecord) -> bool:
        return False

    logs = [logging.getLogger(name) for name in ("httpx", "httpcore.http11")]
    for log in logs:
        log.addFilter(is_told)
    try:
        yield
    finally:
        for log in logs:
            log.removeFilter(is_told)
