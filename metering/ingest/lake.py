"""Facts in Parquet, taken in where Spark reads them: the same staging as of a store, over a directory or any URL of Spark's.

    Parquet ─> judged_samples, folded_samples ─> (staging, poll by poll) ─> polls, runs ─> the facts of the session

Nothing is kept: the facts live as long as the session, and every run reads them anew.
"""

from metering.engine.queries import load_query
from metering.engine.spark import SparkEngine
from metering.ingest.fact_models import ALL_MODELS, MODELS
from metering.ingest.facts import FactOutcome, compare_facts
from metering.ingest.files import FactFile
from metering.ingest.ingest import REJECTION_COLUMNS, IngestOutcome, add_samples, assert_acceptable, news_of, rejection_row
from metering.ingest.lake_files import find_lake_files
from metering.ingest.lake_rows import damage_told, parquet_records, raw_samples, with_floats
from metering.ingest.samples import SampleOutcome, decide_polls, drop_staging, number_polls, sample_outcome
from metering.model.limits import ReadingLimits
from metering.model.progress import Progress

_STEPS = 8


def ingest_lake(
    engine: SparkEngine, places: list[str], *, strict: bool, supersede: bool, now_s: int, ingest_seq: int,
    limits: ReadingLimits, progress: Progress,
) -> IngestOutcome:  # fmt: skip
    """Take the facts of `places` into the session's tables of facts, as `ingest` takes them into a store.

    Args:
        engine: a session with the tables of facts.
        places: facts directories and files, on this machine or as URLs that Spark reads.
        strict: take nothing if anything is rejected or conflicts.
        supersede: where a poll or fact is known with other content, let the new one replace it from now on.
        now_s: the time of ingest.
        ingest_seq: the number of this ingest, if it brings something.
        limits: how many files there may be, and how much of them may be wrong.
        progress: called with each step, how many are done and how many there are.

    Raises:
        InputError: a file cannot be read, is no Parquet, nothing of it all could be taken, or `strict` found something.
    """
    files, notes = find_lake_files(engine, places, limits)
    outcome = IngestOutcome(file_names=[file.shown for file in files], notes=notes)
    facts = _read_facts(engine, files, outcome, supersede=supersede, now_s=now_s)
    sample_files = [file for file in files if file.table == "samples"]
    samples = SampleOutcome()
    if sample_files:
        with damage_told(engine, sample_files):
            _stage(engine, sample_files, supersede=supersede, progress=progress)
            samples = sample_outcome(engine, sample_files)
        samples.rejections = with_floats(sample_files, samples.rejections)
        add_samples(outcome, samples)
    assert_acceptable(outcome, strict=strict, allow_useless=False)
    news = news_of(engine, outcome, samples, facts)
    if news is not None:
        outcome.ingest_seq = ingest_seq
        _write(engine, ingest_seq, sample_files, facts, samples)
        columns = REJECTION_COLUMNS | {"ingest_seq": "bigint"}
        engine.append("rejections", columns, [(*rejection_row(one), ingest_seq) for one in news.rejections])
        engine.append("settled_files", {"file": "varchar", "ingest_seq": "bigint"}, [(file, ingest_seq) for file in news.settled])
    if sample_files:
        drop_staging(engine)
    for file in files:
        file.assert_unchanged()
    progress("facts", _STEPS, _STEPS)
    return outcome


def _stage(engine: SparkEngine, files: list[FactFile], *, supersede: bool, progress: Progress) -> None:
    """Stage samples up to the decision about every poll, as `stage_samples` does for a store."""
    is_folded = raw_samples(engine, files)
    engine.define("staging/checked_samples", name="judged_samples")
    engine.alias("raw_samples", "raw_folds")
    if is_folded:
        # They are few and read twice, and their checks take longer than keeping them.
        engine.replace("folded_samples", load_query("staging/checked_samples").sql)
    else:
        engine.define("staging/checked_samples", name="folded_samples")
    for done, step in enumerate(decide_polls(engine, are_captures=False, supersede=supersede), start=1):
        progress(step, done, _STEPS)


def _read_facts(
    engine: SparkEngine, files: list[FactFile], outcome: IngestOutcome, *, supersede: bool, now_s: int
) -> dict[str, FactOutcome]:
    facts: dict[str, FactOutcome] = {}
    for table in MODELS:
        if table_files := [(file, parquet_records(engine, file)) for file in files if file.table == table]:
            facts[table] = compare_facts(engine, table, table_files, supersede=supersede, now_s=now_s)
            outcome.tables[table] = facts[table].rows
            outcome.rejections += facts[table].rejections
    return facts


def _write(
    engine: SparkEngine,
    seq: int,
    sample_files: list[FactFile],
    facts: dict[str, FactOutcome],
    samples: SampleOutcome,
) -> None:
    parameters = {"ingest_seq": seq}
    for table, fact in facts.items():
        columns = ALL_MODELS[table].columns | {"read_s": "bigint", "ingest_seq": "bigint"}
        engine.append(table, columns, [[(row | parameters).get(name) for name in columns] for row in fact.accepted])
    if samples.polls.accepted or samples.polls.conflicting:
        columns = {"ingest_seq": "bigint", "file_number": "bigint", "file": "varchar"}
        engine.append("ingest_files", columns, [(seq, n, file.shown) for n, file in enumerate(sample_files, start=1)])
        for _ in number_polls(engine, samples, seq):
            pass
        # Runs that go on in a later ingest stay two here: which polls a snapshot was listed in is the same.
        engine.insert("closed_runs", "staging/new_runs")
        engine.alias("sample_runs", "closed_runs")
        engine.insert("feeds", "levels/new_feeds")
        engine.replace("collection_tails", _TAILS, parameters)


# No day is kept: levels are computed from the polls.
_TAILS = (
    "select t.collection_key, t.last_number, t.last_poll_s, t.kept_until_s, t.changed_seq from collection_tails as t "
    "left join new_tails as n on t.collection_key = n.collection_key where n.collection_key is null "
    "union all select collection_key, last_number, last_poll_s, 0 as kept_until_s, $ingest_seq as changed_seq from new_tails"
)
