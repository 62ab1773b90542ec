"""The manuals tell the truth: every command in them runs and prints what they show, and they miss no command, option or setting."""

import contextlib
import doctest
import importlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
import sessions
import typer

import metering
from metering.cli.app import app
from metering.config import Settings, load_settings
from metering.engine.queries import load_query
from metering.ingest.columns import OPTIONAL_COLUMNS, REQUIRED_COLUMNS
from metering.model import records
from metering.model.period import INSTANT_PATTERN

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
MANUALS = [README, ROOT / "sample_data" / "README.md", ROOT / "metering" / "README.md"]
MODULES = sorted(
    ".".join(("metering", *file.relative_to(ROOT / "metering").with_suffix("").parts)).removesuffix(".__init__")
    for file in (ROOT / "metering").rglob("*.py")
    if file.name != "__main__.py"
)


def commands() -> dict[str, typer.core.TyperCommand]:
    """Give every command by its words, groups of commands included."""
    found = {}

    def walk(words: str, command) -> None:
        found[words] = command
        for name, inner in getattr(command, "commands", {}).items():
            walk(f"{words} {name}", inner)

    walk("metering", typer.main.get_command(app))
    return found


COMMANDS = commands()
METERING = Path(sysconfig.get_path("scripts")) / "metering"


@pytest.fixture
def folder(tmp_path):
    """Make a working directory with the sample month in it, as a new user has."""
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return tmp_path


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """Take the sample month into a store once; who changes it copies it."""
    place = tmp_path_factory.mktemp("taken") / "metering.duckdb"
    with metering.open(str(place)) as meter:
        meter.ingest(ROOT / "sample_data")
    return place


def marked(marker: str) -> str:
    """Give the command that the README gives under a marker, as .ci/run takes it."""
    (found,) = re.findall(rf"<!-- ci: {marker} -->\n```sh\n(.*?)\n```", README.read_text(encoding="utf-8"), re.DOTALL)
    return found


CHAPTERS = [
    pytest.param(manual, chapter.title, id=f"{manual.relative_to(ROOT)}: {chapter.title}")
    for manual in MANUALS
    if manual.exists()
    for chapter in sessions.chapters(manual.read_text(encoding="utf-8"))
    if chapter.has_sessions
]


@pytest.mark.parametrize("words", COMMANDS)
def test_the_readme_shows_the_help_of_every_command_and_so_every_option(words, request):
    document = README.read_text(encoding="utf-8")
    asked = f"$ {words} --help\n"
    if asked not in document and request.config.getoption("--update-docs"):
        before, after = document.split("## Fact files\n")
        section = f"### `{words}`\n\n```console\n{asked}```\n\n"
        README.write_text(f"{before}{section}## Fact files\n{after}", encoding="utf-8")
    else:
        assert asked in document, "pytest tests/test_docs.py --update-docs adds it; a sentence about it is yours to write"


@pytest.mark.parametrize(("manual", "title"), CHAPTERS)
def test_every_command_in_a_manual_prints_what_the_manual_shows(manual, title, folder, request):
    document = manual.read_text(encoding="utf-8")
    (shown,) = (chapter.text for chapter in sessions.chapters(document) if chapter.title == title)
    printed = sessions.replayed(shown, folder)
    if request.config.getoption("--update-docs"):
        manual.write_text(document.replace(shown, printed), encoding="utf-8")
    elif printed != shown:
        pytest.fail(
            f"{manual.relative_to(ROOT)} shows something else than what is printed; if what is printed is right, run "
            f"pytest tests/test_docs.py --update-docs\n{sessions.difference(shown, printed)}"
        )


@pytest.mark.parametrize("manual", MANUALS, ids=lambda manual: str(manual.relative_to(ROOT)))
def test_what_a_manual_opens_it_closes_in_the_same_chapter(manual):
    """A block that is left open swallows the chapters behind it, and none of its commands is run."""
    for chapter in sessions.chapters(manual.read_text(encoding="utf-8")):
        fences = re.findall("^```([a-z]*)$", chapter.text, re.MULTILINE)
        assert len(fences) % 2 == 0, chapter.title
        assert all(word == "" for word in fences[1::2]), chapter.title


def test_the_readme_names_all_its_chapters_in_its_contents():
    document = README.read_text(encoding="utf-8")
    chapters = [chapter.title for chapter in sessions.chapters(document)][1:]
    contents = document[document.index("**Contents:**") : document.index("## ")]
    assert re.findall(r"\[([^]]+)\]\(#([a-z-]+)\)", contents) == [(title, title.lower().replace(" ", "-")) for title in chapters]


def test_the_readme_begins_with_two_commands_one_that_bills_and_one_that_tests():
    sets_up = "python3 -m venv .venv && .venv/bin/pip install -q"
    assert marked("run") == f"{sets_up} . && .venv/bin/metering run sample_data"
    assert re.fullmatch(rf"{re.escape(sets_up)} -e '\.\[dev\]' && \.venv/bin/pytest( -n 2)?", marked("test"))


def test_ci_takes_the_two_commands_from_the_readme_and_has_no_words_of_its_own():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "by_the_readme run" in script
    assert "by_the_readme test" in script
    assert "pip install" not in script
    assert "venv .venv" not in script


def example_of(words: str) -> str:
    """Give the example at the end of a command's help."""
    found = re.findall(r"^Example:\n\s+(metering .+)$", COMMANDS[words].epilog or "", re.MULTILINE)
    assert len(found) == 1, f"`{words} --help` ends with one example"
    return found[0]


# These run until they are stopped.
SERVICES = ("metering collect", "metering sandbox serve")


@pytest.mark.parametrize("words", [words for words in COMMANDS if words not in SERVICES])
def test_the_help_of_every_command_ends_with_an_example_that_runs(words, folder, taken):
    example = example_of(words)
    assert example.startswith(words)
    shutil.copy(taken, folder)
    if words == "metering restore":
        example = f"{example_of('metering backup')} && {example}"
    done = subprocess.run(
        ["bash", "-c", example], cwd=folder, env=sessions.environment(folder), capture_output=True, text=True, check=False
    )
    # The sample month has findings on purpose: a gate in front of it is shut.
    assert done.returncode == (3 if "--check" in example else 0), done.stderr


@contextlib.contextmanager
def running(command: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a service until the test is through with it; it ends in good order when asked to."""
    service = subprocess.Popen(
        ["bash", "-c", f"exec {command}"], cwd=folder, env=sessions.environment(folder) | {"METERING_PASSWORD_MAIN": "password1"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield service
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=60) == 0
    finally:
        service.kill()
        service.communicate()


def test_the_examples_of_the_services_run_the_collector_against_the_sandbox(folder):
    """What is not the example's own: a free port, and a pace that a test can wait for; a busy machine may need some cycles."""
    assert "--port 8600" in example_of("metering sandbox serve")
    with running(example_of("metering sandbox serve").replace("--port 8600", "--port 0"), folder) as sandbox:
        text = "".join(itertools.takewhile(lambda line: not line.startswith("try"), sandbox.stdout))
        (url,) = re.findall(r"^ +ZRH +(\S+)$", text, re.MULTILINE)
        username, account = re.findall(r"^ +(\S+) +password1 +\S+ +account (\S+) ", text, re.MULTILINE)[0]
        (folder / "metering.toml").write_text(
            f'[collect]\nclock = "provider"\n[endpoints.ZRH]\nurl = "{url}"\n'
            f'[accounts.main]\naccount = "{account}"\nusername = "{username}"\n'
        )
        with running(example_of("metering collect").replace("5m", "5s") + " --format json", folder) as collector:
            cycles = map(json.loads, itertools.islice(collector.stdout, 20))
            assert any(cycle["polls"] == 1 and not cycle["failures"] for cycle in cycles)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_takes_the_common_options(words):
    if getattr(COMMANDS[words], "commands", None) and words != "metering":
        pytest.skip("a group of commands")
    options = {name for parameter in COMMANDS[words].params for name in parameter.opts}
    assert {"--store", "--config", "--format", "-q", "--quiet", "-v", "--verbose", "--version"} <= options


def test_the_list_of_commands_cuts_no_sentence_short():
    help_text = subprocess.run(
        [METERING, "--help"],
        env=sessions.environment(ROOT), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "..." not in help_text.split("Commands:")[1]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_sql_and_python_read_the_same_texts_as_instants():
    assert f"'^{INSTANT_PATTERN}$'" in load_query("staging/checked_samples").sql


def table_after(heading: str, manual: Path = README) -> dict[str, str]:
    """Give the first table under a heading of a manual: the rest of each row, by its first cell."""
    chapter = next(c.text for c in sessions.chapters(manual.read_text(encoding="utf-8")) if c.title == heading)
    rows = [line.strip("| ").split(" | ", 1) for line in chapter.splitlines() if line.startswith("| ")]
    return {row[0].strip("`"): row[1] for row in rows[1:]}


def test_the_readme_names_the_columns_of_every_fact_file_the_required_ones_in_bold():
    for table, words in table_after("Fact files").items():
        assert tuple(re.findall(r"\*\*([a-z_]+)\*\*", words)) == REQUIRED_COLUMNS[table]
        plain = re.sub(r"\*\*[a-z_]+\*\*|\([^)]*\)|`[^`]*`", "", words)
        assert sorted(re.findall(r"[a-z_]+", plain)) == sorted(OPTIONAL_COLUMNS[table])
    assert set(table_after("Fact files")) == set(REQUIRED_COLUMNS)


def test_the_readme_names_every_field_of_a_bill_in_order():
    shown = {part: re.sub(r" \([^)]*\)|; .*$", "", words).split(", ") for part, words in table_after("Results as JSON").items()}
    models = {
        "period": records.BilledPeriod, "usage": records.UsageRow, "lines": records.ChargeLine, "episodes": records.Episode,
        "statements": records.Statement,
    }  # fmt: skip
    assert set(shown) == set(records.Bill.model_fields)
    assert {part: shown[part] for part in models} == {part: list(model.model_fields) for part, model in models.items()}


def test_the_readme_names_every_setting():
    named = [name.strip("` ") for names in table_after("Settings") for name in names.split(",")]
    assert sorted(named) == sorted(Settings.model_fields)


def test_the_settings_to_begin_with_are_settings_and_say_what_counts_anyway(folder):
    subprocess.run([METERING, "collect", "--init"], cwd=folder, env=sessions.environment(folder), check=True)
    begun = load_settings(folder / "metering.toml").model_dump()
    assert {name: begun[name] for name in ("store", "store_wait", "cycle", "max_hold", "collect")} == {
        name: Settings().model_dump()[name] for name in ("store", "store_wait", "cycle", "max_hold", "collect")
    }


def test_the_architecture_names_every_part_of_the_package():
    parts = {
        f"{place.name}/" if place.is_dir() else place.name
        for place in (ROOT / "metering").iterdir()
        if place.suffix == ".py" or (place / "__init__.py").exists()
    }
    assert set(table_after("Layers", ROOT / "metering" / "README.md")) == parts - {"__init__.py", "__main__.py"}


def test_the_changelog_is_the_last_chapter_and_begins_with_the_version_of_the_package():
    last = sessions.chapters(README.read_text(encoding="utf-8"))[-1]
    assert last.title == "Changelog"
    versions = re.findall(r"^### (.+)$", last.text, re.MULTILINE)
    assert versions[0] == metering.__version__
    assert versions == sorted(versions, key=lambda version: [int(part) for part in version.split(".")], reverse=True)


def test_links_and_anchors_in_the_manuals_lead_somewhere():
    for manual in MANUALS:
        text = manual.read_text(encoding="utf-8")
        anchors = {
            re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            if "://" in target:
                continue
            assert not path or (manual.parent / path).exists(), f"{manual.relative_to(ROOT)}: {target}"
            assert path or anchor in anchors, f"{manual.relative_to(ROOT)}: {target}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands_and_options(shell, tmp_path):
    environment = sessions.environment(tmp_path)

    def completed(line: str) -> str:
        asked = {
            "_METERING_COMPLETE": f"complete_{shell}", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")),
            "_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_WORD_TO_COMPLETE": "",
        }  # fmt: skip
        return subprocess.run([METERING], env=environment | asked, capture_output=True, text=True, check=False).stdout

    assert "report" in completed("metering re")
    assert "coverage" in completed("metering report cov")
    assert "--period" in completed("metering report --per")
