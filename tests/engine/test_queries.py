"""The SQL tree keeps its promises: headers that are true, one table a file, plain parameters, and SQL that translates to Spark."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from metering.engine.queries import load_query, parse_query, queries_folder

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted(queries_folder().rglob("*.sql"))
NAMES = [str(file.relative_to(queries_folder()).with_suffix("")) for file in FILES]

# What the queries may be written in: each of these was run on DuckDB and on Spark, through sqlglot, with the same result.
# `//` cuts towards zero on both, so it stands only where nothing is negative.
# Not among them, because they do not translate or change their meaning: HUGEINT, ASOF, QUALIFY with an outer ORDER BY,
# UNION BY NAME, lists and structs, time_bucket, epoch and epoch_ms and epoch_us, range() as a table, division.
TRANSLATES = {
    # structure
    "Select", "From", "Join", "Where", "Group", "Having", "Order", "Ordered", "Union", "With", "CTE", "Subquery", "Table",
    "TableAlias", "Alias", "Column", "Identifier", "Star", "Distinct", "Window", "WindowSpec", "Paren", "Limit",
    # values and operators
    "Literal", "Boolean", "Null", "Placeholder", "Var", "DataType", "DataTypeParam", "Cast", "TryCast", "Case", "If", "And", "Or",
    "Not", "Is", "In", "Between", "Exists", "EQ", "NEQ", "GT", "GTE", "LT", "LTE", "Add", "Sub", "Mul", "Mod", "Neg", "Abs",
    "DPipe", "IntDiv", "BitwiseAnd", "BitwiseLeftShift", "BitwiseOrAgg",
    # functions
    "Coalesce", "Count", "Sum", "Min", "Max", "Greatest", "Least", "Filter", "Lag", "Lead", "RowNumber", "Explode",
    "GenerateSeries", "DateDiff", "TimestampTrunc", "Length", "Lower", "Substring", "Right", "SplitPart", "RegexpLike",
}  # fmt: skip
# Functions that sqlglot has no name for, but both engines have under this one.
NAMED_ALIKE = {"bit_count"}
TYPES = {"INT", "BIGINT", "DECIMAL(38, 0)", "TEXT", "TIMESTAMP", "BOOLEAN"}


def tree(name: str) -> exp.Expression:
    statements = sqlglot.parse(load_query(name).sql, read="duckdb")
    assert len(statements) == 1, "one statement a file"
    return statements[0]


def without_literals(sql: str) -> str:
    return re.sub(r"--[^\n]*", "", re.sub(r"'[^']*'", "''", sql))


@pytest.mark.parametrize("name", NAMES)
def test_a_query_is_named_like_its_file_and_makes_one_table(name):
    assert load_query(name).name == name.rsplit("/", 1)[-1]
    assert isinstance(tree(name), (exp.Select, exp.Union))


@pytest.mark.parametrize("name", NAMES)
def test_the_header_names_the_tables_that_the_query_reads_each_once(name):
    tables = {
        source.name
        for scope in traverse_scope(tree(name))
        for _, source in scope.selected_sources.values()
        if isinstance(source, exp.Table)
    }
    reads = load_query(name).reads
    assert sorted(reads) == sorted(tables)


@pytest.mark.parametrize("name", NAMES)
def test_the_header_names_the_parameters_that_the_query_uses_each_once(name):
    query = load_query(name)
    assert sorted(query.params) == sorted(set(re.findall(r"\$([a-z_]+)", without_literals(query.sql))))


@pytest.mark.parametrize("name", NAMES)
def test_the_header_says_what_a_row_is_and_why_the_query_is_there(name):
    query = load_query(name)
    assert query.grain.startswith("one row")
    assert query.why[0].isupper()
    assert query.why.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_no_query_is_a_template_and_keywords_are_lowercase(name):
    sql = without_literals(load_query(name).sql)
    assert not re.search(r"[{}?;]|%s|%\(", sql)
    assert sql == sql.lower()


@pytest.mark.parametrize("name", NAMES)
def test_a_query_is_written_in_what_also_translates_to_spark(name):
    parsed = tree(name)
    used = {type(node).__name__ for node in parsed.walk()} - {"Anonymous"}
    assert {node.name.lower() for node in parsed.find_all(exp.Anonymous)} <= NAMED_ALIKE
    assert used <= TRANSLATES, "try it on Spark through sqlglot first, then say so in this test"
    assert {node.sql("duckdb") for node in parsed.find_all(exp.DataType)} <= TYPES
    assert not [join for join in parsed.find_all(exp.Join) if join.args.get("method")], "ASOF, NATURAL and POSITIONAL joins"
    assert not [union for union in parsed.find_all(exp.Union) if union.args.get("by_name")]
    spark = sqlglot.transpile(load_query(name).sql, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)
    assert isinstance(sqlglot.parse_one(spark[0], read="spark"), (exp.Select, exp.Union))


def test_every_query_is_used_by_the_package_and_every_query_that_it_names_is_there():
    folders = {name.split("/")[0] for name in NAMES}
    named = {
        node.value
        for module in (ROOT / "metering").rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z]+/[a-z_]+", node.value)
    }
    assert {name for name in named if name.split("/")[0] in folders} == set(NAMES)


def test_no_two_queries_make_a_table_of_the_same_name():
    assert [name for name, count in Counter(load_query(name).name for name in NAMES).items() if count > 1] == []


def test_a_header_that_lacks_a_field_is_refused_by_the_name_of_the_field():
    with pytest.raises(ValueError, match="lacks params, why"):
        parse_query("-- name   x\n-- grain  one row\n-- reads  none\nselect 1 as one\n")


def test_a_header_field_may_go_on_over_several_lines():
    query = parse_query(
        "-- name   x\n-- grain  one row\n-- reads  a,\n--        b\n-- params none\n-- why    One reason,\n--        continued.\n"
        "-- a remark of the query itself\nselect 1 as one"
    )
    assert query.reads == ("a", "b")
    assert query.why.startswith("One reason, continued.")
