"""What is installed works from anywhere, as a wheel and as an editable installation, and holds what it needs and no more."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import metering
from metering.engine.queries import load_query, queries_folder

ROOT = Path(__file__).resolve().parent.parent

SAMPLES = """poll_time,location,account,snapshot,allocated_size
2026-10-01T00:00:00Z,ZRH,acme,s1,16106127360
2026-10-01T00:05:00Z,ZRH,acme,s1,16106127360
"""
PRICES = """resource,currency,level,price,unit,multiplier,effective_from
backup,CHF,1,0.28,GB/month,2783138807808000,2026-01-01T00:00:00Z
"""
ACCOUNTS = "account,currency,name\nacme,CHF,Acme Ltd\n"


def run(*words: str | Path, cwd: Path) -> str:
    """Run a command as a user's shell would, without what the test run has put into the environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "METERING_", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def environment(tmp_path):
    """Make a new virtual environment that sees the libraries of this one, but none of its editable installations."""
    place = tmp_path / "environment"
    venv.create(place, with_pip=False, symlinks=True)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place


def install(environment: Path, *words: str | Path, cwd: Path) -> None:
    # The new environment's own python runs the pip of this one, so that nothing has to be downloaded.
    run(environment / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--ignore-installed",
        "--disable-pip-version-check", *words, cwd=cwd)  # fmt: skip


@pytest.fixture
def facts(tmp_path):
    folder = tmp_path / "somewhere else" / "facts"
    folder.mkdir(parents=True)
    (folder / "samples.csv").write_text(SAMPLES)
    (folder / "prices.csv").write_text(PRICES)
    (folder / "accounts.csv").write_text(ACCOUNTS)
    return folder


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_an_installation_bills_facts_from_any_working_directory(kind, wheel, environment, facts):
    install(environment, *([wheel] if kind == "wheel" else ["-e", ROOT]), cwd=facts.parent)
    printed = run(environment / "bin" / "metering", "run", "facts", "--period", "2026-10-01", cwd=facts.parent)
    bill = json.loads(printed)
    # 15 GiB for two measured cycles and the time the last poll is held: 300 + 300 + 600 s.
    assert bill["usage"][0]["occupied_byte_seconds"] == str(15 * 2**30 * 1200)
    assert (facts.parent / "metering.duckdb").is_file()
    asked = "import metering, metering.engine.queries as q; print(metering.__file__); print(q.queries_folder())"
    package, queries = run(environment / "bin" / "python", "-c", asked, cwd=facts.parent).split("\n")[:2]
    inside = environment if kind == "wheel" else ROOT
    assert Path(package).is_relative_to(inside)
    assert Path(queries).is_relative_to(inside)


def test_the_wheel_holds_the_package_and_every_query_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    modules = {f"metering/{file.relative_to(ROOT / 'metering')}" for file in (ROOT / "metering").rglob("*.py")}
    queries = {f"metering/queries/{file.relative_to(queries_folder())}" for file in queries_folder().rglob("*.sql")}
    assert {name for name in names if name.endswith((".py", ".sql"))} == modules | queries
    assert all(name.startswith("metering/") for name in names)


def test_the_wheel_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        (points,) = [name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt")]
        metadata = archive.read(name).decode()
        assert "metering = metering.cli:main" in archive.read(points).decode()
    assert f"Version: {metering.__version__}" in metadata
    assert "Requires-Python: >=3.11" in metadata


def test_python_dash_m_is_the_same_command(tmp_path):
    script = Path(sysconfig.get_path("scripts")) / "metering"
    assert run(sys.executable, "-m", "metering", "--help", cwd=tmp_path) == run(script, "--help", cwd=tmp_path)


def test_queries_are_read_once_and_kept():
    assert load_query("billing/usage") is load_query("billing/usage")


def test_every_dependency_has_a_bound_on_both_sides_or_a_reason():
    """A library's next major version must not reach users before our tests have seen it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    unbound = [name for name in project["dependencies"] if not re.search(r">=[\d.]+,<\d+(;|$)", name)]
    # iso4217 numbers its versions by the edition of the standard's list: newer is righter.
    assert unbound == ["iso4217>=1.14"]
