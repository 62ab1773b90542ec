"""Whatever SQL says, it reads and writes the store and the files that the user named, and no others; nobody can unlock it."""

import os

import duckdb
import pytest
from hour_facts import an_hour, ingested, write_facts

from metering.engine.duckdb import writer
from metering.store import Store

REFUSED = "file system operations are disabled|configuration has been locked"


@pytest.fixture
def secret(tmp_path):
    duckdb.sql("select 'secret' as secret").write_parquet(str(tmp_path / "secret.parquet"))
    (tmp_path / "secret.csv").write_text("secret\n")
    return tmp_path


@pytest.fixture
def store(tmp_path):
    ingested(write_facts(tmp_path / "facts", an_hour()), store=tmp_path / "metering.duckdb")
    return Store(tmp_path / "metering.duckdb")


def escapes(folder):
    """Ways to reach a file, or to be allowed to."""
    return [
        f"from read_parquet('{folder}/secret.parquet')",
        f"from '{folder}/secret.parquet'",
        f"from read_csv('{folder}/secret.csv')",
        f"from read_text('{folder}/secret.csv')",
        f"from read_blob('{folder}/secret.csv')",
        f"from glob('{folder}/*')",
        f"from read_parquet('{folder}/facts/../secret.parquet')",
        f"from read_parquet('{os.path.relpath(folder)}/secret.parquet')",
        f"attach '{folder}/other.duckdb'",
        f"copy (select 1) to '{folder}/out.csv'",
        f"copy (select 1) to '{folder}/metering.duckdb.head'",
        f"export database '{folder}/out'",
        "from read_parquet('http://127.0.0.1:1/x.parquet')",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set lock_configuration = false",
        f"set allowed_directories = ['{folder}']",
        f"set temp_directory = '{folder}/spill'",
        f"set extension_directory = '{folder}'",
    ]


@pytest.mark.parametrize("number", range(len(escapes("."))), ids=[escape.split("(")[0][:40] for escape in escapes("x")])
@pytest.mark.parametrize("how", ["reading", "writing"])
def test_no_sql_reaches_a_file_that_nobody_named(store, secret, how, number):
    before = sorted(path.name for path in secret.iterdir())
    with getattr(store, how)(places=[secret / "facts"]) as engine:
        for connection in (engine.connection, engine.connection.cursor()):
            with pytest.raises((duckdb.PermissionException, duckdb.InvalidInputException, duckdb.IOException)):
                connection.execute(escapes(secret)[number])
    assert sorted(path.name for path in secret.iterdir()) == before


def test_a_python_variable_is_no_table(store):
    hidden = duckdb.sql("select 'secret' as secret")
    with store.reading() as engine, pytest.raises(duckdb.CatalogException):
        engine.sql("from hidden")
    assert hidden.fetchall() == [("secret",)]


def test_facts_that_a_link_stands_for_are_read_and_what_lies_beside_them_is_not(tmp_path):
    write_facts(tmp_path / "elsewhere", an_hour())
    (tmp_path / "facts").mkdir()
    for path in (tmp_path / "elsewhere").iterdir():
        (tmp_path / "facts" / path.name).symlink_to(path)
    assert ingested(tmp_path / "facts", store=tmp_path / "linked.duckdb").polls.accepted
    duckdb.sql("select 1 as a").write_parquet(str(tmp_path / "elsewhere" / "more.parquet"))
    with (
        Store(tmp_path / "linked.duckdb").reading(places=[tmp_path / "facts"]) as engine,
        pytest.raises(duckdb.PermissionException, match=REFUSED),
    ):
        engine.sql(f"from read_parquet('{tmp_path}/elsewhere/more.parquet')")


def test_a_writer_of_a_file_writes_that_file_only(tmp_path):
    with writer(tmp_path / "out.parquet") as engine:
        engine.sql(f"copy (select 1 as a) to '{tmp_path}/out.parquet'")
        with pytest.raises(duckdb.PermissionException, match=REFUSED):
            engine.sql(f"copy (select 1 as a) to '{tmp_path}/other.parquet'")
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]
