"""Passwords: from the environment, a file that only its owner may read, or the keyring; never from an argument or the settings.

Nor are they told by what is answered: whoever answers, or a proxy on the way, may repeat the login that asked.
"""

import base64
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from metering.collector.targets import AccountSettings
from metering.model.errors import InputError

_MAX_BYTES = 4_096
# What stands in place of a password that was repeated; one that is shorter than this cannot be told from other text.
_WITHHELD, _LEAST_LENGTH = "[withheld]", 8
# What the provider calls things in its answers: without these nothing could be read.
_PROVIDERS_WORDS = """
allocated_size api_endpoint auto_renew country_code currency descendants discount_amount discount_percent discounts display_name
drive_meta end_time free_tier interval last_state_change location multiplier objects owner permissions poll_time remaining
resource_amount resource_type resource_uri start_time subscribed_object timestamp total_count was_billed GB/month
"""
_JSON_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Login:
    """A username and its password, which is never shown: neither by `repr` nor in an error."""

    username: str
    password: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody may be told: the password, as it is and as URLs and HTTP write it, the longest first.

        Left out is what any answer may hold without meaning a password: a few characters, or nothing but digits.
        """
        written = {self.password, quote(self.password, safe="")}
        for text in (self.password, f"{self.username}:{self.password}"):
            encoded = base64.b64encode(text.encode()).decode().rstrip("=")
            written |= {encoded, encoded.translate({ord("+"): "-", ord("/"): "_"})}
        found = (secret for secret in written if len(secret) >= _LEAST_LENGTH and not secret.isdigit())
        return tuple(sorted(found, key=lambda secret: (-len(secret), secret)))

    def withheld_from(self, text: str, document: Any) -> str:
        """Give the text of a JSON document with `[withheld]` wherever one of its texts or keys repeats a secret.

        All else stays as it came, numbers too: an answer is not refused for what somebody wrote into a name.

        Args:
            text: what came, which is known to be valid.
            document: what it says.
        """
        secrets = self.secrets
        # A character may be written in several ways; in what is written anew, there is one.
        plain = json.dumps(document, ensure_ascii=False) if "\\" in text else text
        if not any(json.dumps(secret, ensure_ascii=False)[1:-1] in plain for secret in secrets):
            return text
        secret_here = re.compile("|".join(map(re.escape, secrets)))

        def told(found: re.Match[str]) -> str:
            said = json.loads(found[0])
            kept = secret_here.sub(_WITHHELD, said)
            return found[0] if kept == said else json.dumps(kept, ensure_ascii=False)

        return _JSON_TEXT.sub(told, text)


def password_variable(name: str) -> str:
    """Name the environment variable that may hold an account's password: `METERING_PASSWORD_MAIN`."""
    return "METERING_PASSWORD_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def find_login(name: str, account: AccountSettings) -> Login:
    """Find the login of `[accounts.NAME]`: the environment first, then its file, then the keyring.

    Raises:
        InputError: there is no password, its file may be read by others, or every answer tells it; no error shows any of it.
    """
    login = Login(account.username, _find_password(name, account))
    if any(secret in f"{account.account}{_PROVIDERS_WORDS}" for secret in login.secrets):
        raise InputError(
            f"[accounts.{name}] the password stands in the account's UUID, or in a word that its answers are made of, "
            "so each of them tells it: choose another"
        )
    return login


def _find_password(name: str, account: AccountSettings) -> str:
    variable = account.password_env or password_variable(name)
    if password := os.environ.get(variable):
        try:
            password.encode()
        except UnicodeEncodeError:
            raise InputError(f"[accounts.{name}] {variable} is no UTF-8 text") from None
        return password
    if account.password_file is not None:
        return secret_in_file(account.password_file, f"[accounts.{name}]", "password")
    if account.keyring is not None:
        return _from_keyring(name, account.keyring, account.username)
    raise InputError(
        f"[accounts.{name}] has no password: set {variable}, or name a password_file (mode 0600) or a keyring in its table"
    )


def secret_in_file(path: Path, whose: str, kind: str) -> str:
    """Read a secret that is the only line of a file; messages begin with whose it is, and call it by its kind.

    Raises:
        InputError: the file cannot be read, may be read by others, or holds something else; no error shows any of it.
    """
    try:
        path = path.expanduser()
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123 -- what is checked is what is read, not what its name says by then
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{whose} {path} is no file")
            if status.st_uid not in (os.getuid(), 0):
                raise InputError(f"{whose} {path} belongs to somebody else: make a file of your own")
            if status.st_mode & 0o077:
                raise InputError(f"{whose} {path} may be read by others: chmod 600 {path}, and change the {kind}")
            content = file.read(_MAX_BYTES + 1)
    except RuntimeError:
        raise InputError(f"{whose} {path} is in the home of somebody who has none") from None
    except OSError as error:
        raise InputError(f"{whose} {path} cannot be read: {error.strerror}") from None
    if len(content) > _MAX_BYTES:
        raise InputError(f"{whose} {path} is longer than any {kind}")
    try:
        secret = content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise InputError(f"{whose} {path} is no UTF-8 text") from None
    if not secret or "\n" in secret:
        raise InputError(f"{whose} {path} must hold the {kind} as its only line")
    return secret


def _from_keyring(name: str, service: str, username: str) -> str:
    try:
        import keyring  # noqa: PLC0415 -- an extra
    except ImportError:
        raise InputError(f"[accounts.{name}] names a keyring: pip install 'metering[keyring]', or set a password_file") from None
    try:
        password: str | None = keyring.get_password(service, username)
    except Exception as error:  # noqa: BLE001 -- backends are programs of others, and raise what they like
        raise InputError(f"[accounts.{name}] the keyring cannot be opened ({type(error).__name__}): unlock it") from None
    if not password:
        raise InputError(f"[accounts.{name}] the keyring holds no password of {username!r}: keyring set {service} {username}")
    return password
