"""What a store holds: its tables, their columns, and the version of it all. Changing it raises the version."""

import re
from functools import cache

SCHEMA_VERSION = 1

SCHEMA = """
create table store_info (key varchar not null, value varchar not null);

-- one row an ingest that brought something; ingest_seq counts on from 1. source is JSON: how many files were read, and by table
-- of facts other than samples those that something came from
create table ingests (ingest_seq bigint not null, ingested_at_s bigint not null, source varchar not null);
-- the sample files of an ingest, as they were named; a poll that is spread over several counts as the first one's
create table ingest_files (ingest_seq bigint not null, file_number bigint not null, file varchar not null);

-- what is polled: one endpoint, one account
create table collections (collection_key bigint not null, endpoint varchar not null, account varchar not null);
-- one snapshot as one collection lists it
create table series (
    series_key bigint not null, collection_key bigint not null, location varchar not null, snapshot varchar not null
);
create table labels (label_key bigint not null, drive varchar not null, status varchar not null, name varchar not null);

-- poll_key = collection_key × 2^32 + number; the polls of a collection are numbered on, those of one ingest by time
create table polls (
    poll_key bigint not null, collection_key bigint not null, poll_s bigint not null, file_number bigint not null,
    ingest_seq bigint not null
);
-- the provider's own clock when it answered a poll, where the capture tells it
create table poll_answers (poll_key bigint not null, answered_s bigint not null);
-- sizes change rarely: one row a snapshot and unbroken run of poll numbers in which it was listed alike, both ends included
create table closed_runs (
    series_key bigint not null, first_poll_key bigint not null, last_poll_key bigint not null, allocated_size bigint not null,
    label_key bigint not null
);
-- the runs that reach the last poll of their collection, which its next one may extend
create table open_runs (
    series_key bigint not null, first_poll_key bigint not null, last_poll_key bigint not null, allocated_size bigint not null,
    label_key bigint not null
);
create view sample_runs as from closed_runs union all from open_runs;
create view samples as
select
    unnest(generate_series(first_poll_key, last_poll_key)) as poll_key, series_key, allocated_size, label_key
from sample_runs;
-- how far each collection is known: the last number given to a poll of it, and the instant of its latest poll
create table collection_tails (
    collection_key bigint not null, last_number bigint not null, last_poll_s bigint not null, kept_until_s bigint not null,
    changed_seq bigint not null
);
-- kept levels (metering/levels.py): what can be made again from polls and runs, so that bills read days
create table feeds (feed_key bigint not null, collection_key bigint not null, location varchar not null);
create table level_steps (
    feed_key bigint not null, starts_at_s bigint not null, ends_at_s bigint not null, occupied_bytes decimal(38, 0) not null,
    held_count bigint not null, missing_count bigint not null
);
create table level_days (
    feed_key bigint not null, day_s bigint not null, starts_at_s bigint not null, ends_at_s bigint not null,
    occupied_byte_seconds decimal(38, 0) not null, least_occupied_bytes decimal(38, 0), peak_occupied_bytes decimal(38, 0),
    measured_seconds bigint not null, held_seconds bigint not null, missing_seconds bigint not null
);
-- a poll that was replaced on purpose, and the ingest that did it
create table superseded_polls (poll_key bigint not null, ingest_seq bigint not null);

-- kept aside: polls that say something else than the one in force
create table conflicting_samples (
    endpoint varchar not null, account varchar not null, poll_s bigint not null, location varchar not null,
    snapshot varchar not null, allocated_size bigint not null, drive varchar not null, status varchar not null,
    name varchar not null, ingest_seq bigint not null
);
-- kept aside: rows of any file that could not be taken, and why; poll_s is null where the row does not tell its poll
create table rejections (
    table_name varchar not null, file varchar not null, line bigint not null, field varchar not null, value varchar not null,
    reason varchar not null, endpoint varchar, account varchar, poll_s bigint, ingest_seq bigint not null
);
-- a file that was read again: what is still wrong with it is said again, what was said of it before is settled
create table settled_files (file varchar not null, ingest_seq bigint not null);
create table shared_objects (
    endpoint varchar not null, account varchar not null, owner varchar not null, location varchar not null,
    snapshot varchar not null, first_poll_s bigint not null, last_poll_s bigint not null, poll_count bigint not null,
    ingest_seq bigint not null
);

-- how large a drive was, as captures tell it beside its snapshots
create table drive_sizes (
    drive varchar not null, size_bytes bigint not null, first_poll_s bigint not null, ingest_seq bigint not null
);

-- dated facts; the row of a key with the greatest ingest_seq is in force. read_s tells when the provider said it, and is null
-- where somebody declared it by a file
create table subscriptions (
    location varchar not null, id varchar not null, account varchar not null, resource varchar not null,
    amount decimal(38, 0) not null, declared_start_s bigint, declared_end_s bigint, period varchar,
    start_s bigint not null, end_s bigint not null, nominal_seconds bigint not null, price varchar, currency varchar,
    auto_renew varchar, read_s bigint, ingest_seq bigint not null
);
create table prices (
    location varchar not null, resource varchar not null, currency varchar not null, level bigint not null,
    effective_from_s bigint not null, price varchar not null, unit varchar not null, multiplier decimal(38, 0) not null,
    read_s bigint, ingest_seq bigint not null
);
create table burst_levels (
    location varchar not null, resource varchar not null, effective_from_s bigint not null, level bigint not null,
    read_s bigint, ingest_seq bigint not null
);
create table accounts (
    account varchar not null, currency varchar not null, name varchar not null, read_s bigint, ingest_seq bigint not null
);
-- what only the provider's answers tell
create table discounts (
    location varchar not null, period varchar not null, effective_from_s bigint not null, discount varchar not null,
    read_s bigint, ingest_seq bigint not null
);
create table places (
    location varchar not null, display_name varchar not null, country_code varchar not null, api_endpoint varchar not null,
    read_s bigint, ingest_seq bigint not null
);
-- polls that were tried and are none, with their cause; what was odd about some that were taken; and, of the lists that money
-- hangs on, the first reading after one that failed
create table poll_notes (
    endpoint varchar not null, account varchar not null, resource varchar not null, noted_s bigint not null,
    outcome varchar not null, cause varchar not null, detail varchar not null, read_s bigint, ingest_seq bigint not null
);

-- what an ingest brought into a table, counted and digested (metering/seals.py)
create table seals (
    table_name varchar not null, ingest_seq bigint not null, row_count bigint not null, digest varchar not null, last_key bigint
);
-- periods that are closed, in a hash chain (metering/books); documents are canonical JSON
create table closings (
    closing_seq bigint not null, start_s bigint not null, end_s bigint not null, known_seq bigint not null,
    as_of_s bigint not null, closed_at_s bigint not null, closed_by varchar not null, reason varchar, settings varchar not null,
    findings varchar not null, inputs_sha256 varchar not null, feeds_sha256 varchar not null, previous_hash varchar not null,
    hash varchar not null
);
create table closed_statements (
    closing_seq bigint not null, account varchar not null, document varchar not null, sha256 varchar not null
);
"""


def fact_tables() -> dict[str, dict[str, str]]:
    """Give the columns of every table of a store with their types, for an engine that keeps facts without one."""
    return {
        name: dict(re.findall(r"(?:^|, )(\w+) ([a-z]+(?:\([^)]*\))?)", " ".join(columns.split())))
        for name, columns in re.findall(r"create table (\w+) \((.*?)\);", SCHEMA, re.DOTALL)
    }


@cache
def every_column() -> str:
    """Give SQL that reads no row, and fails where a table or a column of a store is not there."""
    return " union all ".join(
        f"select 1 from (select {', '.join(columns)} from {name} limit 0)" for name, columns in fact_tables().items()
    )


def lacking(columns: set[tuple[str, str]]) -> str | None:
    """Name the first table or column of a store that is not among those of a database, each told as (table, column)."""
    tables = {table for table, _ in columns}
    for table, column in ((table, column) for table, names in fact_tables().items() for column in names):
        if (table, column) not in columns:
            return f"the column {column} of {table}" if table in tables else f"the table {table}"
    return None
