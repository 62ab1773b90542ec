"""Settings that point `metering collect` at a sandbox: a metering.toml and a password file for each account.

The passwords are those of an emulated provider and guard nothing; they are in files because that is how the collector takes them.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from metering.sandbox.world_things import Account

SETTINGS_FILE = "metering.toml"
_WRITTEN = "# Written by `metering sandbox serve`"


def write_settings(folder: Path, endpoints: Mapping[str, str], accounts: Iterable[Account], *, clock: str = "ours") -> Path:
    """Write the settings into a folder; gives the file. Only what a sandbox has written before is replaced.

    Args:
        folder: where; made if it is not there.
        endpoints: the base URL of each location's API.
        accounts: who is polled.
        clock: whose clock dates a poll: `ours`, or the `provider`'s where the sandbox's runs at another speed.

    Raises:
        FileExistsError: there are settings of somebody else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings, passwords = folder / SETTINGS_FILE, folder / "passwords"
    if settings.exists() and not settings.read_text(encoding="utf-8").startswith(_WRITTEN):
        raise FileExistsError(f"{settings} is not the sandbox's: name another folder")
    passwords.mkdir(mode=0o700, exist_ok=True)
    lines = [_WRITTEN, "", "[collect]", f'clock = "{clock}"']
    for location, url in endpoints.items():
        lines += ["", f"[endpoints.{location}]", f'url = "{url}"']
    for account in accounts:
        name = account.email.partition("@")[0]
        password = (passwords / name).absolute()
        _write_secret(password, account.password)
        lines += [
            "", f"[accounts.{name}]", f'account = "{account.uuid}"', f'username = "{account.email}"',
            f"password_file = {_quoted(str(password))}", f"name = {_quoted(account.name)}",
        ]  # fmt: skip
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return settings


def _write_secret(path: Path, secret: str) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(secret + "\n")


def _quoted(text: str) -> str:
    """Write a text as a basic string of TOML."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
