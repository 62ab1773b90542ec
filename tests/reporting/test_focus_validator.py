"""The FOCUS project's own validator reads our rows, where a Python that it runs on (3.12 or later) is at hand.

It exits 0 whatever it finds, so its report is read. Rules that fail on sound rows are listed here with the reason.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from focus_world import FIRST, SECOND, bring_late, example

# So long may it take to install before the test does without.
MOST_SECONDS = 120
VALIDATOR = "focus-validator==2.2.1"
# What fails although the rows are right, and why.
CONTRADICTIONS = {
    "CommitmentDiscountStatus-C-004-C": "its text asks for a status where a commitment is named; its test, where none is",
    "InvoiceId-C-004-C": "its text is of charges without an invoice; its test is of all",
    "CommitmentDiscountQuantity-C-007-C": "its text leaves quantities of corrections open; its test wants them empty",
}


def newer_pythons():
    names = [found for version in (12, 13, 14) if (found := shutil.which(f"python3.{version}"))]
    managed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return [*map(str, sorted(managed.glob("3.1[2-9]*/bin/python3"))), *names]


@pytest.fixture(scope="module")
def validator():
    """Give the validator's site-packages, in which it wants to run, and its program; made once a machine."""
    place = Path(tempfile.gettempdir()) / f"metering-{VALIDATOR.replace('==', '-')}-{os.getuid()}"
    program = place / "bin" / "focus-validator"
    if not program.exists():
        for python in newer_pythons():
            shutil.rmtree(place, ignore_errors=True)
            install = [
                place / "bin" / "pip",
                "install",
                "--quiet",
                "--only-binary=numpy,pandas,pyarrow,duckdb,polars",
                VALIDATOR,
                "pyarrow<25",
            ]
            with contextlib.suppress(subprocess.SubprocessError):
                for command in ([python, "-m", "venv", place], install):
                    subprocess.run(command, capture_output=True, check=True, timeout=MOST_SECONDS)
                break
        else:
            pytest.skip("no Python 3.12 or later is at hand that the validator could be installed for")
    (packages,) = place.glob("lib/python*/site-packages")
    return program, packages


def failing_rules(validator, data, report):
    program, packages = validator
    command = [
        program, "--data-file", data, "--validate-version", "1.2", "--block-download", "--output-type", "unittest",
        "--output-destination", report,
    ]  # fmt: skip
    subprocess.run(command, cwd=packages, capture_output=True, check=True)
    cases = list(ET.parse(report).getroot().iter("testcase"))
    assert len(cases) > 500, "it looked at the rules of FOCUS 1.2"
    return {
        case.get("name").split()[0] for case in cases if case.find("failure") is not None or case.find("error") is not None
    }  # fmt: skip


def test_the_validator_of_the_focus_project_finds_nothing_but_its_own_contradictions(tmp_path, validator):
    meter = example(tmp_path)
    meter.close(FIRST)
    bring_late(meter, tmp_path)
    for period in (FIRST, SECOND):
        place = tmp_path / "focus.parquet"
        meter.export("focus", place, period=period)
        assert failing_rules(validator, place, tmp_path / "report.xml") <= CONTRADICTIONS.keys()
