"""What all who ask over HTTPS share: whom they trust, what is told of a connection that fails, and what no log is told."""

import contextlib
import logging
import ssl
from collections.abc import Iterable, Iterator

import httpx


def tls_context(urls: Iterable[str]) -> ssl.SSLContext:
    """Make the context that verifies every certificate; one is enough for all addresses.

    Where all are plain http, which goes no further than this machine, it trusts nobody: to load the authorities takes time.
    """
    if any(url.lower().startswith("https:") for url in urls):
        return httpx.create_ssl_context(verify=True, trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def trouble_of_connecting(error: httpx.ConnectError) -> str:
    """Tell why there is no connection, and what to do."""
    text = str(error).lower()
    meanings = {
        "certificate": "its certificate is not valid", "ssl": "it speaks no TLS that we know: is the url's https right?",
        "name": "its name is not known", "refused": "refused",
    }  # fmt: skip
    return next((meaning for mark, meaning in meanings.items() if mark in text), "nobody answers there")


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
