"""Folders are layers, and imports point down only (metering/README.md); heavy libraries are loaded only where they are needed."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "metering"

# What each part of the package may import, beside itself and the parts that these may import. A part is a folder or a module.
FACTS = {"levels", "seals", "journal", "store", "schema", "engine", "durable", "model"}
CONFIG = {"books", "billing", "collector", "ingest", *FACTS}
API = {"bookkeeping", "cluster", "deciding", "publishing", "reporting", "planning", "config", *CONFIG}
ALLOWED = {
    "model": set(),
    "durable": {"model"},
    "schema": set(),
    "engine": {"model"},
    "seals": {"engine", "model"},
    "journal": {"engine", "model"},
    "store": {"durable", "schema", "engine", "model"},
    "levels": {"engine", "model"},
    "billing": FACTS,
    "ingest": FACTS,
    "collector": {"ingest", *FACTS},
    "books": {"billing", *FACTS},
    "reporting": {"planning", *CONFIG},
    "planning": {"books", "billing", *FACTS},
    "config": CONFIG,
    "sandbox": {"model"},
    "bookkeeping": {"config", *CONFIG},
    "cluster": {"bookkeeping", "config", *CONFIG},
    "publishing": {"bookkeeping", "reporting", "planning", "config", *CONFIG},
    "deciding": {"publishing", "planning", "bookkeeping", "reporting", "config", *CONFIG},
    "api": API,
    "cli": {"api", "sandbox", *API},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def part_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(module: Path) -> Iterator[str]:
    """Give the dotted names that a module imports anywhere in it, `from a import b` as `a.b`."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parts_imported(module: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(module) if name.startswith("metering.")} - {"__version__", "Meter", "open"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_imports_point_down_only(module):
    part = part_of(module)
    if part in ("__init__", "__main__"):
        assert parts_imported(module) <= {"api", "cli"}
        return
    assert part in ALLOWED, f"metering/{part} is new: say in this test what it may import"
    assert parts_imported(module) - {part} <= ALLOWED[part]


def test_no_part_is_named_that_is_none():
    assert set(ALLOWED) == {part_of(module) for module in MODULES} - {"__init__", "__main__"}


def test_every_layer_that_is_named_allows_only_layers_below_it():
    for part, below in ALLOWED.items():
        for lower in below:
            assert part not in ALLOWED[lower]
            assert ALLOWED[lower] <= below, f"{part} sees {lower}, and through it more than {part} may"


@pytest.mark.parametrize(
    ("library", "places"),
    [
        ("pandas", {"reporting/frames.py", "api.py"}),
        ("duckdb", {"engine/duckdb.py", "store.py"}),
        ("pyspark", {"engine", "ingest/lake_files.py", "ingest/lake_rows.py"}),
        ("sqlglot", {"engine"}),
        ("typer", {"cli"}),
        ("httpx", {"collector", "reporting/delivery.py"}),
        ("vl_convert", {"reporting/charts/draw.py"}),
        ("xlsxwriter", {"reporting/workbook.py"}),
        ("iso4217", {"model/currency.py"}),
        ("statsmodels", {"planning/forecasting.py"}),
        ("numpy", {"planning/forecasting.py"}),
    ],
)
def test_a_library_is_imported_only_in_its_place(library, places):
    users = {
        str(module.relative_to(PACKAGE))
        for module in MODULES
        if any(name == library or name.startswith(f"{library}.") for name in imports(module))
    }
    strangers = {user for user in users if user not in places and user.split("/")[0] not in places}
    assert not strangers


def test_the_model_reads_and_writes_nothing():
    outside = ("os", "io", "pathlib", "socket", "subprocess", "sqlite3", "tempfile", "shutil", "urllib", "requests")
    for module in MODULES:
        if part_of(module) == "model":
            assert not [name for name in imports(module) if name.split(".")[0] in outside], module
            calls = [node for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
            assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in ("open", "print")], module


def loaded_by(*words: str) -> set[str]:
    """Give the modules that a command has loaded when it ends."""
    program = (
        "import sys\n"
        "from metering.cli import main\n"
        f"sys.argv = ['metering', *{list(words)!r}]\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code\n"
        "print('LOADED', *sorted(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.rsplit("LOADED", 1)[1].split())


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"], ["report", "--help"]], ids=" ".join)
def test_help_waits_for_no_heavy_library(words):
    # pydantic is heavy too, but typer itself loads it.
    heavy = {"duckdb", "pandas", "numpy", "pydantic_settings", "pyarrow", "httpx", "dateutil", "metering.api"}
    assert heavy & loaded_by(*words) == set()


def test_importing_the_package_loads_no_other_module_of_it():
    program = "import sys, metering\nprint(*[name for name in sys.modules if name.startswith('metering.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_library_waits_for_nothing_that_a_bill_does_not_need():
    program = "import sys, metering.api\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    reporting = {"month_page", "statements", "workbook", "charts", "focus", "advice"}
    others = {f"metering.reporting.{name}" for name in reporting} | {"metering.planning.advise", "metering.planning.outlook"}
    assert (others | {"jinja2", "pandas", "httpx", "statsmodels"}) & set(done.stdout.split()) == set()
