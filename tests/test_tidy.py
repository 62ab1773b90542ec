"""The house is tidy: modules and functions of a size to read in one go, no float near a quantity, nothing left for later."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from metering.engine.duckdb import read_files

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "metering").rglob("*.py"))
SCRIPTS = [ROOT / ".ci" / "run"]
TEXTS = [*MODULES, *sorted((ROOT / "queries").rglob("*.sql")), *SCRIPTS]
WAITING = ("sleep", "timeout", "wait")


def shown(file: Path) -> str:
    return str(file.relative_to(ROOT))


def lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def nodes(module: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(module.read_text(encoding="utf-8")))


def test_a_module_is_short_enough_to_be_read_in_one_go():
    sizes = {shown(module): lines(module) for module in MODULES}
    assert {name: size for name, size in sizes.items() if size > 400} == {}
    assert len([size for size in sizes.values() if size > 300]) <= len(sizes) // 10
    assert statistics.median(sizes.values()) <= 150


@pytest.mark.parametrize("module", MODULES, ids=shown)
def test_a_function_fits_on_a_screen(module):
    long = {
        node.name: size
        for node in nodes(module)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (size := node.end_lineno - node.lineno + 1) > 75
    }
    assert long == {}


@pytest.mark.parametrize("module", MODULES, ids=shown)
def test_no_float_touches_bytes_seconds_or_money(module):
    """A pause between two tries may be a fraction of a second; a quantity never is."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    pauses = {
        id(part)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and any(word in ast.unparse(call.func).lower() for word in WAITING)
        for part in ast.walk(call)
    }
    found = [
        f"line {node.lineno}"
        for node in ast.walk(tree)
        if id(node) not in pauses
        and (
            (isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)))
            or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("float", "round"))
        )
    ]
    assert found == []


def test_money_is_rounded_by_one_function_only():
    """Decimal's own rounding depends on a context; ours is exact, and stands in metering/billing/money.py."""
    pattern = re.compile(r"\bROUND_[A-Z]|\.quantize\(|getcontext|localcontext|\bround\(")
    assert [shown(module) for module in MODULES if pattern.search(module.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("file", TEXTS, ids=shown)
def test_nothing_is_left_for_later(file):
    assert (
        re.findall(r"\b(?:TODO|FIXME|XXX|HACK|WIP|NotImplemented(?:Error)?|placeholder)\b", file.read_text(encoding="utf-8")) == []
    )


@pytest.mark.parametrize("module", MODULES, ids=shown)
def test_no_function_is_a_stub(module):
    """Only a declaration (a protocol's method, an overload) may be without a body."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    declared = {
        id(function)
        for kind in ast.walk(tree)
        if isinstance(kind, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in kind.bases)
        for function in kind.body
    }
    stubs = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and id(node) not in declared:
            body = [part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
            is_empty = all(isinstance(part, ast.Pass) for part in body)
            is_overload = any("overload" in ast.unparse(decorator) for decorator in node.decorator_list)
            if is_empty and not is_overload and ast.get_docstring(node) is None:
                stubs.append(node.name)
    assert stubs == []


@pytest.mark.parametrize("module", MODULES, ids=shown)
def test_every_module_says_what_it_is_in_one_sentence(module):
    first = (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
    assert first, "a docstring"
    assert first.rstrip().endswith((".", ":", "?")), "a sentence"


def test_no_file_of_the_tree_names_a_machine():
    """Paths of one machine and hosts of one registry are of no use to anybody else."""
    folders = [ROOT / "metering", ROOT / "queries", ROOT / "sample_data", ROOT / "tests"]
    kinds = ("*.py", "*.sql", "*.md", "*.toml", "*.csv", "*.json", "*.ndjson")
    inside = [file for folder in folders for kind in kinds for file in folder.rglob(kind) if file != Path(__file__)]
    files = [ROOT / "README.md", ROOT / "pyproject.toml", *SCRIPTS, *inside]
    named = re.compile(r"/home/[a-z]|/root/|/work/|/opt/py" + r"pi|index-url|localhost:\d{4}/simple")
    assert [shown(file) for file in files if named.search(file.read_text(encoding="utf-8"))] == []


def test_files_of_facts_are_read_by_one_function_only():
    """DuckDB takes folders called `key=value` for columns of the files in them; the engine's `read_files` tells it not to."""
    pattern = re.compile(
        r"\b(?:read|from)_(?:parquet|csv)\w*\(|\bread_(?:nd)?json\w*\(|\b(?:parquet_scan|sniff_csv)\(|\bfrom \{quoted\("
    )
    assert [shown(file) for file in TEXTS if pattern.search(file.read_text(encoding="utf-8"))] == []
    assert "hive_partitioning=false" in read_files("csv", [Path("account=b/samples.csv")], "header=false")
