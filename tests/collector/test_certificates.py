"""An endpoint whose TLS is wrong is told what is wrong and what to do, and never that nobody answers."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import struct
import threading
from datetime import UTC, datetime, timedelta

import pytest
import stamina
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from metering.collector.client import EndpointClient
from metering.collector.connections import tls_context
from metering.collector.credentials import Login
from metering.collector.targets import CollectSettings, EndpointSettings
from metering.ingest.failure import RequestFailure
from metering.model.limits import ReadingLimits

HOST = "127.0.0.1"
BODY = b"{}"
NOW = datetime.now(UTC)
AUTHORITY = trustme.CA()


def serving(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def of_files(folder, *pems):
    (folder / "server.pem").write_bytes(b"".join(pems))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def sound(_folder):
    return serving(AUTHORITY.issue_cert(HOST))


def expired(_folder):
    return serving(AUTHORITY.issue_cert(HOST, not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=1)))


def to_come(_folder):
    return serving(AUTHORITY.issue_cert(HOST, not_before=NOW + timedelta(days=1), not_after=NOW + timedelta(days=9)))


def of_another_name(_folder):
    return serving(AUTHORITY.issue_cert("zrh.example"))


def of_another_address(_folder):
    return serving(AUTHORITY.issue_cert("10.0.0.1"))


def of_an_unknown_authority(_folder):
    return serving(trustme.CA().issue_cert(HOST))


def without_the_one_between(folder):
    leaf = AUTHORITY.create_child_ca().issue_cert(HOST)
    return of_files(folder, leaf.private_key_pem.bytes(), leaf.cert_chain_pems[0].bytes())


def signed_by_itself(folder):
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "itself")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - timedelta(days=1), NOW + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return of_files(folder, secret, certificate.public_bytes(Encoding.PEM))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def too_old(_folder):
    context = serving(AUTHORITY.issue_cert(HOST))
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def of_weak_ciphers(_folder):
    context = serving(AUTHORITY.issue_cert(HOST))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")
    return context


def asks_for_ours(_folder):
    context = sound(_folder)
    context.maximum_version, context.verify_mode = ssl.TLSVersion.TLSv1_2, ssl.CERT_REQUIRED
    AUTHORITY.configure_trust(context)
    return context


def answer_tls(connection, context):
    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
        secured.recv(10_000)
        secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + BODY)


def answer_bytes(connection, said):
    connection.recv(10_000)
    if said is None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        connection.sendall(said)
    connection.close()


@contextlib.contextmanager
def endpoint(answer, how):
    """Run a server that answers each connection so; give its port."""
    listening = socket.create_server((HOST, 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                answer(listening.accept()[0], how)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def asked(url):
    """Give what an endpoint answers, or why it does not; AUTHORITY is trusted besides those that are."""
    named = EndpointSettings(url=url)
    context = tls_context([named.url])
    AUTHORITY.configure_trust(context)

    async def run():
        client = EndpointClient(named, CollectSettings(attempts=1), ReadingLimits(), context)
        try:
            return (await client.get("remotesnapshots/", Login("somebody", "something"))).text
        finally:
            await client.close()

    with stamina.set_testing(True, attempts=1, cap=True):
        try:
            return asyncio.run(run())
        except RequestFailure as failure:
            return str(failure)


CERTIFICATES = {
    expired: "it has expired: whoever runs the server must renew it, unless this machine's clock is wrong",
    to_come: "it begins later: set this machine's clock, if it is wrong, else whoever runs the server must set theirs",
    of_another_name: "it is for another name: is the url right?",
    of_another_address: "it is for another name: is the url right?",
    signed_by_itself: "it is signed by itself, so nobody vouches for it: is the url right? else the server needs one of a known "
    "authority",
    **dict.fromkeys(
        (of_an_unknown_authority, without_the_one_between),
        "no authority that is known issued it, or the server does not send the ones between: is the url right? else whoever "
        "runs the server must send the whole chain",
    ),
}
HANDSHAKES = {
    too_old: "it speaks TLS before 1.2 only, which is not safe: whoever runs the server must allow 1.2",
    of_weak_ciphers: "it agrees to no way of TLS that is safe, or asks for a certificate of ours",
    asks_for_ours: "it agrees to no way of TLS that is safe, or asks for a certificate of ours",
}
TOLD = {make: f"its certificate is not valid: {said}" for make, said in CERTIFICATES.items()} | HANDSHAKES
NO_TLS = {
    b"HTTP/1.1 400 Bad Request\r\n\r\n": "it speaks no TLS that we know: is the url's https right?",
    b"SSH-2.0-OpenSSH_9.2\r\n": "it speaks no TLS that we know: is the url's https right?",
    b"": "it ends the connection before anything is agreed: is the url's https right?",
    None: "it ends the connection before anything is agreed: is the url's https right?",
}


def test_a_certificate_that_is_sound_is_taken(tmp_path):
    with endpoint(answer_tls, sound(tmp_path)) as port:
        assert asked(f"https://{HOST}:{port}/") == "{}"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("make", TOLD, ids=lambda make: make.__name__)
def test_what_is_wrong_with_tls_is_told_and_what_to_do(tmp_path, make):
    with endpoint(answer_tls, make(tmp_path)) as port:
        assert asked(f"https://{HOST}:{port}/") == f"unreachable: no connection to {HOST}:{port} ({TOLD[make]})"


@pytest.mark.parametrize("said", NO_TLS)
def test_who_speaks_no_tls_is_told_as_that(said):
    with endpoint(answer_bytes, said) as port:
        assert asked(f"https://{HOST}:{port}/") == f"unreachable: no connection to {HOST}:{port} ({NO_TLS[said]})"


def test_where_nobody_listens_nobody_answers():
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    assert asked(f"https://{HOST}:{port}/") == f"unreachable: no connection to {HOST}:{port} (nobody answers there)"
    assert asked("https://nobody.invalid/") == "unreachable: no connection to nobody.invalid (its name is not known)"
