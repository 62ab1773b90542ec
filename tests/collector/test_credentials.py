"""Where a password is looked for, in which order, and what is said where there is none; never the password itself."""

import sys
from types import ModuleType

import pytest

from metering.collector.credentials import find_login
from metering.collector.targets import AccountSettings
from metering.model.errors import InputError


def login(**where):
    return find_login("main-1", AccountSettings(account="A", username="ann@example.com", **where))


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "password"
    path.write_text("from a file\n")
    path.chmod(0o600)
    return path


class KeyringError(Exception):
    pass


@pytest.fixture
def keyring(monkeypatch):
    """Give a keyring to put passwords into, by service and username."""
    kept = {}
    module, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    module.get_password = lambda service, username: kept.get((service, username))
    module.errors, errors.KeyringError = errors, KeyringError
    monkeypatch.setitem(sys.modules, "keyring", module)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    kept["module"] = module
    return kept


def test_the_environment_comes_first_then_the_file_then_the_keyring(monkeypatch, secret, keyring):
    keyring["metering", "ann@example.com"] = "from the keyring"
    assert login(keyring="metering").password == "from the keyring"
    assert login(keyring="metering", password_file=secret).password == "from a file"
    monkeypatch.setenv("METERING_PASSWORD_MAIN_1", "from the environment")
    assert login(keyring="metering", password_file=secret).password == "from the environment"
    monkeypatch.setenv("ANOTHER", "from another variable")
    assert login(password_env="ANOTHER", password_file=secret).password == "from another variable"


def test_a_password_of_the_environment_that_no_request_can_carry_is_refused_without_a_word_of_it(monkeypatch):
    monkeypatch.setenv("METERING_PASSWORD_MAIN_1", "s3cret\udcff")  # as Python reads a byte that is no UTF-8
    with pytest.raises(InputError, match=r"^\[accounts.main-1\] METERING_PASSWORD_MAIN_1 is no UTF-8 text$") as caught:
        login()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("trouble", [PermissionError(13, "s3cret"), ConnectionResetError("s3cret"), KeyError("s3cret")])
def test_whatever_a_keyring_fails_with_is_told_and_ends_nothing(monkeypatch, keyring, trouble):
    """Backends are programs of others, and raise what they like: the accounts beside must be polled all the same."""

    def broken(_service, _username):
        raise trouble

    monkeypatch.setattr(keyring["module"], "get_password", broken)
    with pytest.raises(InputError, match=rf"the keyring cannot be opened \({type(trouble).__name__}\): unlock it$") as caught:
        login(keyring="metering")
    assert "s3cret" not in str(caught.value)


def test_a_login_does_not_show_its_password(secret):
    assert "from a file" not in repr(login(password_file=secret))


def test_without_any_it_says_where_one_is_looked_for():
    with pytest.raises(
        InputError, match=r"^\[accounts.main-1\] has no password: set METERING_PASSWORD_MAIN_1, or name a password_file"
    ):
        login()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must hold the password as its only line"),
        (b"\n", "must hold the password as its only line"),
        (b"s3cret\nagain\n", "must hold the password as its only line"),
        (b"s3cret\xff\n", "is no UTF-8 text"),
        (b"s3cret" * 1_000, "is longer than any password"),
    ],
)
def test_a_file_that_holds_no_password_is_refused_without_a_word_of_it(secret, content, said):
    secret.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        login(password_file=secret)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666])
def test_a_file_that_others_may_read_is_refused(secret, mode):
    secret.chmod(mode)
    with pytest.raises(InputError, match=r"may be read by others: chmod 600 .*password, and change the password"):
        login(password_file=secret)


def test_what_is_no_file_of_ours_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere cannot be read: No such file or directory"):
        login(password_file=tmp_path / "nowhere")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        login(password_file=tmp_path)


def test_a_keyring_that_is_not_installed_locked_or_empty_says_what_to_do(monkeypatch, keyring):
    with pytest.raises(InputError, match=r"holds no password of 'ann@example.com': keyring set metering ann@example.com"):
        login(keyring="metering")

    def locked(_service, _username):
        raise KeyringError("s3cret")

    monkeypatch.setattr(keyring["module"], "get_password", locked)
    with pytest.raises(InputError, match=r"the keyring cannot be opened \(KeyringError\): unlock it$"):
        login(keyring="metering")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(InputError, match=r"names a keyring: pip install 'metering\[keyring\]', or set a password_file"):
        login(keyring="metering")
