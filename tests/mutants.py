"""Plants one bug at a time into a copy of the product and counts how many the quick tests find.

Bugs of billing are looked for by the worked cases and the random worlds, those of the books by their worked cases and histories.

    python tests/mutants.py            all of them; exits 1 if one survives
    python tests/mutants.py carry      those whose name contains the word

A mutant is a name, a file and a replacement of text in it. A bug that no test finds is a test that is not there.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BOOKS = (
    "tests/books/test_restated_in_the_open.py",
    "tests/books/test_closing.py",
    "tests/books/test_known_at.py",
    "tests/books/test_verify.py",
)
TESTS = ("tests/cases", "tests/billing", "tests/model", "tests/properties/test_worlds_equal_oracle.py")
# Which worked cases look at a file first, so that most bugs are found in seconds.
FIRST = {
    "scope_changes": "time", "usage_steps": "time", "usage_instants": "time", "scope_instants": "time",
    "usage": "time", "usage_parts": "time", "fed_units": "who_pays", "collections_in_doubt": "facts", "unit_days": "charges",
    "staged_blocks": "facts", "ignored_series": "who_pays", "checked_samples": "who_pays",
    "entitled_changes": "entitlement", "terms": "entitlement",
    "known_subscriptions": "facts", "known_prices": "facts", "staged_polls": "facts", "burst_episode_parts": "charges",
    "burst_lines": "charges", "money": "charges", "currency": "charges", "rates": "price", "bill": "price",
    "scope_segments": "facts", "scope_steps": "time", "new_feeds": "who_pays", "loose_runs": "facts",
}  # fmt: skip
# Who looks at what a bill does not show, or not by itself.
SOUGHT_BY = {
    "duckdb": ("tests/engine/test_running_sums.py",),
    "folds": ("tests/properties/test_folds_equal_rows.py",),
    **dict.fromkeys(("raw_rows", "sources"), ("tests/ingest/test_many_files.py",)),
    "known_blocks": ("tests/properties/test_repeats_equal_looked_into.py",),
    "repeated_blocks": ("tests/properties/test_repeats_equal_looked_into.py",),
    "told_keys": ("tests/test_hostile_names.py", "tests/ingest/test_staging.py"),
    "discounts": ("tests/planning/test_discounts.py", "tests/reporting/test_settled_discounts.py"),
    "corrections": ("tests/reporting/test_focus_corrections.py", "tests/reporting/test_settled_discounts.py"),
    "readings": ("tests/ingest/test_readings.py", "tests/ingest/test_provider_lists.py"),
    "new_runs": ("tests/cases", "tests/ingest/test_staging.py"),
    **dict.fromkeys(
        ("scope_blocks", "scope_stretches", "scope_pieces"),
        ("tests/properties/test_stretches_equal_oracle.py", "tests/cases", "tests/properties/test_worlds_equal_oracle.py"),
    ),
    "growth": ("tests/planning/test_growth.py",),
    "advise": ("tests/planning/test_advise.py",),
    "quote": ("tests/planning/test_quote.py",),
    "outlook": ("tests/planning/test_forecast.py",),
    "months": ("tests/billing/test_months.py",),
    "open_rejections": ("tests/billing/test_findings.py",),
    "tally": ("tests/reporting/test_reconcile_tally.py",),
    **dict.fromkeys(("samples", "daily", "lines", "ledger"), ("tests/reporting/test_reconcile_edges.py",)),
    **dict.fromkeys(("strayed", "report"), ("tests/reporting/test_reconcile_ledger.py",)),
    **dict.fromkeys(("kept_scope", "levels"), ("tests/cases", "tests/properties/test_stretches_equal_oracle.py")),
    "durable": ("tests/store/test_scratch.py",),
    "day_levels": ("tests/cases", "tests/properties/test_stretches_equal_oracle.py"),
    "covered_usage": ("tests/reporting/test_focus_coverage.py",),
    "forecasting": ("tests/planning/test_forecast.py",),
    "line": ("tests/reporting/test_explain.py",),
    "recovered_lists": ("tests/ingest/test_readings.py",),
    "unread_lists": ("tests/ingest/test_readings.py",),
    "withdrawals": ("tests/ingest/test_readings.py", "tests/ingest/test_provider_lists.py", "tests/planning/test_discounts.py"),
}


class Mutant(NamedTuple):
    name: str
    file: str
    old: str
    new: str


def _sql(name: str, query: str, old: str, new: str) -> Mutant:
    return Mutant(name, f"queries/{query}.sql", old, new)


def _python(name: str, module: str, old: str, new: str) -> Mutant:
    return Mutant(name, f"metering/{module}.py", old, new)


MUTANTS = (
    _sql("a gap of exactly 1.5 cycles is held", "levels/scope_changes", "> 3 * $cycle_s", ">= 3 * $cycle_s"),
    _sql("2 cycles instead of 1.5", "levels/scope_changes", "> 3 * $cycle_s", "> 4 * $cycle_s"),
    _sql("held without end", "levels/scope_changes", "least(next_s, last_s + $max_hold_s)", "next_s"),
    _sql("held from the end of the cycle", "levels/scope_changes", "last_s + $max_hold_s", "last_s + $cycle_s + $max_hold_s"),
    _sql("measured one second too long", "levels/scope_changes", "last_s + $cycle_s as", "last_s + $cycle_s + 1 as"),
    _sql("no carry-in", "levels/scope_stretches", "    next_s > from_s\n", "    first_s >= from_s\n"),
    _sql("a late poll does not break a run", "levels/scope_stretches", "coalesce(before_key, -1) <> first_poll_key - 1", "before_key is null"),
    _sql("polls of a stretch come at any time", "levels/scope_blocks", "least_phase_s = greatest_phase_s", "least_phase_s <= greatest_phase_s"),
    _sql("a stretch goes on over a poll that came late", "levels/scope_blocks", "max(last_s) over (", "max(first_s) over ("),
    _sql("a stretch goes on over the polls after it", "levels/scope_blocks", "lead(first_s) over", "lead(last_s) over"),
    _sql("the stretch that is carried in is left out", "levels/scope_blocks", "max(case when first_s <= from_s", "max(case when first_s <= until_s"),
    _sql("the stretch behind the scope is left out", "levels/scope_blocks", "min(case when last_s >= until_s then last_s end)", "min(last_s)"),
    _sql("a run ends with its last poll in a stretch", "levels/scope_pieces", "p.last_poll_key + 1 - e.first", "p.last_poll_key - e.first"),
    _sql("a run at a stretch's end lasts one cycle", "levels/scope_pieces", "p.last_poll_key < e.last_poll_key", "p.last_poll_key <= e.last_poll_key"),
    _sql("a day that a late poll touches is not made again", "levels/kept_scope", "a.before_s - a.before_s % 86400", "e.kept_until_s"),
    _sql("a day that is kept is not made again where polls follow in it", "levels/kept_scope", "least(e.kept_before_s, e.first_poll_s - e.first_poll_s % 86400)", "e.kept_before_s"),
    _sql("a day that the next poll may change is whole", "levels/kept_scope", "+ $cycle_s >= 86400", "+ $cycle_s >= 1"),
    _sql("the day before a late poll is not made again", "levels/kept_scope", "p.poll_s < n.first_poll_s", "p.poll_s <= n.first_poll_s"),
    _sql("the day after a late poll is not made again", "levels/kept_scope", "p.poll_s > n.latest_new_poll_s", "p.poll_s >= n.latest_new_poll_s"),
    _sql("a feed that a late poll brings is made until there", "levels/kept_scope", "when u.collection_key is null and e.kept_before_s > 0 and a", "when e.kept_before_s > 0 and a"),
    _sql("a feed that a late poll brings is made from there", "levels/kept_scope", "when u.collection_key is not null or e.kept_before_s = 0", "when e.kept_before_s = 0"),
    _python("the first step behind what is made again is lost", "levels", "{table}.starts_at_s < w.until_s", "{table}.starts_at_s <= w.until_s"),
    _python("what another user left is removed", "durable", " and status.st_uid == os.geteuid()", ""),
    _sql("what was known later is kept", "billing/collections_in_doubt", "t.changed_seq > $known_seq", "false"),
    _sql("polls that the clock cuts off are kept", "billing/collections_in_doubt", "t.last_poll_s >= $as_of_s", "false"),
    _sql("a day at a glance ignores when entitlement changes", "billing/unit_days", "        and e.ends_at_s >= d.ends_at_s\n", ""),
    _sql("a day at a glance ignores when the rate changes", "billing/unit_days", "        and r.ends_at_s >= d.ends_at_s\n", ""),
    _sql("a day that touches what is entitled bursts", "billing/unit_days", "> e.entitled_bytes, false", ">= e.entitled_bytes, false"),
    _sql("a day with missing time bursts at a glance", "billing/unit_days", "and missing_seconds = 0", ""),
    _sql("a run goes on over another size", "staging/new_runs", "        or before_size <> allocated_size\n", ""),
    _sql("a block that is known is taken unseen", "staging/staged_blocks", "        or k.block_s is not null\n", ""),
    _sql("two polls in a slot are one", "staging/staged_blocks", "        or coalesce(p.poll_count, bit_count(b.slots)) <> bit_count(b.slots)\n", ""),
    _sql("no partial time", "billing/usage_steps", "l.state_counts // 4398046511104 = l.state_counts % 2097152", "l.state_counts // 4398046511104 > 0"),
    _sql("partial time is held", "billing/usage_steps", "then 'partial'", "then 'held'"),
    _sql("held time is measured", "billing/usage_steps", "then 'held'", "then 'measured'"),
    _sql("time before the first poll is missing", "billing/usage_steps", "where l.state_counts > 0", "where l.state_counts >= 0"),
    _sql("what is held is partial", "billing/usage_steps", "when l.state_counts >= 4398046511104 then", "when l.state_counts >= 2097152 then"),
    _sql("a midnight is not a cut", "billing/usage_instants", "$first_midnight_s, $stop_s", "$first_midnight_s + 86400, $stop_s"),
    _sql("entitlement counts in missing time", "billing/usage_parts", "<> 'missing' then entitled_bytes", "<> '' then entitled_bytes"),
    _sql("unused counts in missing time", "billing/usage_parts", "<> 'missing' then unused_bytes", "<> '' then unused_bytes"),
    _sql("burst of sums instead of sum of bursts", "billing/usage", "sum(burst_byte_seconds)",
         "greatest(sum(occupied_byte_seconds - entitled_byte_seconds), 0)"),
    _sql("the peak is the least", "billing/usage", "max(peak_occupied_bytes)", "min(peak_occupied_bytes)"),
    _sql("partial time is not billed", "billing/usage_parts", "<> 'missing' then burst_bytes * step", "in ('measured', 'held') then burst_bytes * step"),
    _sql("a subscription includes its end", "billing/entitled_changes", "s.end_s as starts_at_s", "s.end_s + 1 as starts_at_s"),
    _sql("a subscription lacks its first second", "billing/entitled_changes", "greatest(s.start_s,", "greatest(s.start_s + 1,"),
    _sql("a subscription never ends", "billing/entitled_changes", "s.end_s < $stop_s", "s.end_s < $start_s"),
    _sql("a superseded subscription adds up", "billing/known_subscriptions", "where version = 1", "where version >= 1"),
    _sql("a superseded price stays", "billing/known_prices", "order by ingest_seq desc", "order by ingest_seq"),
    _sql("subscriptions known later count", "billing/known_subscriptions", "ingest_seq <= $known_seq", "$known_seq >= 0"),
    _sql("prices known later count", "billing/known_prices", "ingest_seq <= $known_seq", "$known_seq >= 0"),
    _sql("missing time does not break an episode", "billing/burst_episode_parts", "= starts_at_s then 0", "<= starts_at_s then 0"),
    _sql("held time makes no line and breaks an episode", "billing/usage_parts", "state <> 'missing' and", "state in ('measured', 'partial') and"),
    _sql("partial time makes no line and breaks an episode", "billing/usage_parts", "state <> 'missing' and", "state in ('measured', 'held') and"),
    _sql("a line is half a day", "billing/burst_lines", "starts_at_s % 86400", "starts_at_s % 43200"),
    _sql("the endpoint that is the location does not win", "billing/ignored_series", "else 0 end) = 1", "else 0 end) = 2"),
    _sql("the greatest endpoint wins", "billing/ignored_series", "else min(endpoint)", "else max(endpoint)"),
    _sql("a snapshot is one in all locations", "billing/ignored_series", "    and s.location = h.location\n", ""),
    _sql("ignored samples feed a location", "billing/fed_units", "where i.series_key is null", "where true"),
    _sql("ignored samples are counted", "levels/scope_pieces", "        and i.series_key is null\n", ""),
    _sql("only the endpoint feeds", "billing/fed_units", "    or l.collection_key is not null\n", ""),
    _sql("an endpoint without samples does not feed itself", "billing/fed_units",
         "    or (p.collection_key is not null and f.location = c.endpoint)\n", ""),
    _sql("a poll at as_of is used", "levels/scope_stretches", "p.poll_s < $as_of_s", "p.poll_s <= $as_of_s"),
    _sql("a single poll at as_of is used", "levels/scope_stretches", "p.poll_s < $as_of_s", "p.poll_s <= $as_of_s"),
    _sql("single polls known later are used", "levels/scope_stretches", "p.ingest_seq <= $known_seq", "p.ingest_seq >= 0"),
    _sql("a single poll that is superseded stays", "levels/scope_stretches", "        and s.poll_key is null\n", ""),
    _sql("polls known later are used", "levels/scope_blocks", "p.ingest_seq <= $known_seq", "p.ingest_seq >= 0"),
    _sql("what is superseded later is gone before", "levels/scope_blocks", "        and s.ingest_seq <= $known_seq\n", ""),
    _sql("what is superseded stays", "levels/scope_stretches", "        and s.poll_key is null\n", ""),
    _sql("a conflicting poll replaces the first", "staging/staged_polls", "else 'conflicting'", "else 'accepted'"),
    _sql("a poll without its broken row is taken", "staging/staged_polls", "then 'rejected'", "then 'accepted'"),
    _sql("a poll that contradicts itself is taken", "staging/staged_polls", "when contradicts then 'conflicting'", ""),
    _sql("shared snapshots are billed", "staging/checked_samples", "coalesce(owner <> account, false) and problem is null as is_shared",
         "false as is_shared"),
    _sql("an offset is dropped", "staging/checked_samples", "- offset_seconds)", ")"),
    _python("burst has level 0", "billing/rates", "DEFAULT_BURST_LEVEL = 1", "DEFAULT_BURST_LEVEL = 0"),
    _python("a price holds from the next second", "billing/rates", "if index := bisect_right(", "if index := bisect_left("),
    _python("a general price beats a location's", "billing/rates", 'for place in (location, "")', 'for place in ("", location)'),
    _python("a level changes nothing", "billing/rates", 'instants.update(row["effective_from_s"] for row in levels',
            'instants.update(row["effective_from_s"] for row in levels[:0]'),
    _python(
        "equal prices are several", "billing/rates", "price.multiplier) if price else None",
        "price.multiplier, instant_s) if price else None",
    ),
    _python("amounts are rounded half-up", "billing/money", 'AMOUNT_PLACES, "half-even")', 'AMOUNT_PLACES, "half-up")'),
    _python("amounts due are rounded half-even", "billing/money", 'places or 0, "half-up")', 'places or 0, "half-even")'),
    _python("every currency has two decimals", "model/currency", "Currency(currency).exponent", "Currency(currency) and 2"),
    _python("amounts have 19 decimals", "billing/money", "AMOUNT_PLACES = 20", "AMOUNT_PLACES = 19"),
    _python("unpriced burst is free", "billing/bill", "if price else None,\n                **said", "if price else Decimal(0),\n                **said"),
    _python("unpriced burst parks nothing", "billing/bill", "is_priced = all(", "is_priced = True or all("),
    _python("an unpriced part of an episode is free", "billing/bill", "if price is None:\n            return None",
            "if price is None:\n            continue"),
    _python("an unknown account is left out", "billing/bill", "sorted(own,", "sorted((key for key in own if key[0] in accounts),"),
    _python("an end moves back to noon", "model/terms", "return instant_s + (NOON_S - instant_s) % SECONDS_PER_DAY",
            "return instant_s - (instant_s - NOON_S) % SECONDS_PER_DAY"),
    _python("a start in the future stays", "model/terms", "if start > now_s:", "if start > 2**60:"),
    _python("an adjustment ignores those before it", "books/history", 'line["kind"] == "adjustment"', 'line["kind"] == "no kind"'),
    _python("what was parked counts as billed", "books/charges", '== "closed"', '!= ""'),
    _python("lines of two prices are one", "books/history", "None if line.price is None else Fraction(line.price)", "None"),
    _python("adjustments have the wrong sign", "books/restatement", "now.burst_byte_seconds if now else 0) - billed.byte_seconds",
            "-now.burst_byte_seconds if now else 0) + billed.byte_seconds"),
    _python("a closed period is restated by the settings of today", "books/restatement", "clock=closing.said_settings.clock",
            "clock=computation.clock"),
    _python("only the closing just before leads to an open period", "books/closings", "            end_s = closing.start_s\n", "            break\n"),
    _python("every closed period leads to every later one", "books/closings", "self._chain(period.start_s)",
            "[c for c in self.closings if c.end_s <= period.start_s]"),
    _python("closings known later count", "books/closings", "closing.known_seq <= known_seq)", "True)"),
    _python("closings made later count", "books/closings", "closing.closed_at_s <= instant_s)", "True)"),
    _python("a closing does not name the one before", "books/closings", '"previous": self.previous_hash, ', ""),
    _python("a reason is not hashed", "books/closings", '"reason": self.reason, ', ""),
    _python("statements are not hashed", "books/closings", '"statements": digests,', ""),
    _python("late subscriptions are no cause", "books/causes", "found += _subscriptions(engine, parameters)", "pass"),
    _python("late prices are no cause", "books/causes", "found += _prices(engine, parameters)", "pass"),
    _python("late polls are no cause", "books/causes", "found += _polls(engine, parameters)", "pass"),
    _python("corrected currencies are no cause", "books/causes", "return found + _accounts(came)", "return found"),
    _python("what feeds a period is not looked at", "books/history",
            "if self._looks.feeds(self.last.known_seq) != self.last.feeds_sha256:", "if False:"),
    _python("what was parked is not looked at again", "books/history", "if self._looks.is_parked(self.last.closing_seq):", "if False:"),
    _python("a cause is told again that was billed already", "books/history", "reflected, parked = closing.known_seq, []",
            "parked = []"),
    _python("a period can be closed at its end", "books/causes", "(3 * closing.said_settings.clock.cycle_s) // 2 + 1", "0"),
    _python("the tolerance is not tolerated", "books/closing", "row.missing_seconds > tolerance", "row.missing_seconds >= tolerance"),
    _python("an overtaken closing is written", "books/closing",
            "return (closings[-1].hash if closings else NO_HASH) == draft.previous_hash and last_ingest(engine) == draft.known_seq",
            "return True"),
    _python("the head is not written", "books/closing", "    if not store.is_memory:\n        write_head(store.path, closing)\n", ""),
    _python("prices are not sealed", "seals", '_NO_FACTS = frozenset({"store_info",', '_NO_FACTS = frozenset({"prices", "store_info",'),
    _python("the order of sealed polls may change", "seals", "sum(({number}) * ({slot})) as order_sum", "0 as order_sum"),
    _python("a sealed poll may move within its slot", "seals", "and phase_s = last_phase_s ", ""),
    _python("a sealed poll may be of another file", "seals", " and file_number = last_file_number", ""),
    _python("sealed polls may have any numbers", "seals", "and poll_count = bit_count(numbers) ", ""),
    _python("a run is sealed without its end", "seals", "until_poll_key - first_poll_key, ", ""),
    _python("a seal counts rows only", "seals", 'f"{int(upper):x}.{int(lower):x}"', '"0.0"'),
    _python("verify recomputes nothing", "books/verification", "elif stored[account][0] != documents[account]", "elif False"),
    _python("verify does not look at the digest of a statement", "books/verification", "if digests[account] != digest", "if False"),
    _sql("late polls after the period count only before its end", "books/late_polls", "poll_s < $reach_s", "poll_s < $start_s"),
    _sql("a poll that replaces the one carried in is no cause", "books/late_polls", "or n.poll_s >= c.poll_s", "or n.poll_s > c.poll_s"),
    _sql("a poll before the one with which a period begins is a cause", "books/late_polls", "where poll_s <= $start_s", "where poll_s < $start_s"),
    _sql("what ends as a period begins is a cause", "books/late_subscriptions", "s.end_s > $start_s", "s.end_s >= $start_s"),
    _python("a burst that is as much for other seconds is the same", "books/restatement", "byte_seconds or seconds or amount is None", "byte_seconds or amount is None"),
    _python("partial time is not known", "model/records", " + self.partial_seconds + self.missing_seconds", " + self.missing_seconds"),
    _python("a clock that goes back closes before what it saw", "books/closing",
            "max(request.now_s, last.closed_at_s if last else 0, _last_ingested_at(engine))", "request.now_s"),
    _sql("a subscription counts by what it says now only", "books/late_subscriptions", "    s.ingest_seq <= $known_seq\n",
         "    s.ingest_seq = c.ingest_seq\n"),
    _sql("a collection that another one doubles is not in doubt", "billing/collections_in_doubt", "having count(*) > 1", "having count(*) > 99"),
    _sql("the peak of a whole day is its least", "levels/day_levels", "max(case when missing_count = 0", "min(case when missing_count = 0"),
    _sql("held time of a whole day is measured", "levels/day_levels", "when held_count = 0 and missing_count = 0", "when missing_count = 0"),
    _sql("a whole day bursts whatever is held in it", "levels/day_levels", "min(case when missing_count = 0 then", "min(case when missing_count = 0 and held_count = 0 then"),
    _sql("a whole day does not burst whatever is held in it", "levels/day_levels", "max(case when missing_count = 0 then", "max(case when missing_count = 0 and held_count = 0 then"),
    _sql("a whole day bursts if a moment of it does", "levels/day_levels", "min(case when missing_count = 0 then", "max(case when missing_count = 0 then"),
    _sql("the last segment is one poll", "levels/scope_segments", "coalesce(b.last_poll_key, e.last_poll_key)", "coalesce(b.last_poll_key, b.first_poll_key)"),
    _sql("what is missing counts on while others are there", "levels/scope_steps", "when l.level >= s.missing then 0 when", "when l.level >= s.missing then l.level - s.missing when"),
    _sql("a location that appears later feeds nothing", "levels/new_feeds", "where k.feed_key is null", "where k.feed_key is null and f.location = (select endpoint from collections as c where c.collection_key = f.collection_key)"),
    _sql("a run goes on over polls that do not list it", "staging/loose_runs", "poll_key - row_number() over", "poll_key - poll_key + 0 * row_number() over"),
    _python("rows of small files have no place in them", "ingest/raw_rows", "row_number() over () as row_number", "1 as row_number"),
    _python("files of as many columns are read alike", "ingest/sources", "((file.columns, file.delimiter", "((len(file.columns), file.delimiter"),
    _python("what is parsed together has one file", "ingest/raw_rows", "cast({number:d} as integer) as file_number, row_number()", "cast({min(sources):d} as integer) as file_number, row_number()"),
    _python("a fold ends with its first poll", "ingest/folds", "max(read_s) as last_poll_s", "min(read_s) as last_poll_s"),
    _python("folds of all blocks are one", "ingest/folds", "group by {alike}, read_s - read_s % 14400", "group by {alike}"),
    _python("polls of a fold have one phase", "ingest/folds", "max(read_s % 300) as greatest", "min(read_s % 300) as greatest"),
    _python("a fold knows ten minutes", "ingest/folds", "// 300, 0)", "// 600, 0)"),
    _sql("a block of other seconds is known", "staging/known_blocks", "    and min(is_brought) = 1\n", ""),
    _sql("a block that lacks a poll is known", "staging/known_blocks", "    and bit_or(cast(1 as bigint) << slot) = min(slots)\n", ""),
    _sql("a block that was polled late is in order", "staging/known_blocks", "    min(first_poll_key) = max(first_poll_key)\n    and ", "    "),
    _sql("a block with a row that is no sample is known", "staging/known_blocks", "    where x.block_s is null\n", ""),
    _sql("a snapshot more or less is the same block", "staging/repeated_blocks", "            count(*) <> 2\n            or ", "            "),
    _sql("listed at other polls is listed alike", "staging/repeated_blocks", "            or min(ranks) <> max(ranks)\n", ""),
    _sql("a location may hold what cannot be seen", "staging/told_keys", "            when regexp_matches(location, '[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Co}\\x{890}\\x{891}\\x{13430}-\\x{1343F}]') then 'location'\n", ""),
    _sql("a drive may hold what cannot be seen", "staging/told_keys", "            when regexp_matches(drive, '[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Co}\\x{890}\\x{891}\\x{13430}-\\x{1343F}]') then 'drive'\n", ""),
    _python("the first discounts count for ever", "billing/discounts", "max(start_s, self._first_s[location])", "self._first_s[location]"),
    _python("a closed period settles what ends as it begins", "billing/discounts", "period.start_s < end_s)", "period.start_s <= end_s)"),
    _python("a closed period settles what begins as it ends", "billing/discounts", "if start_s < period.end_s", "if start_s <= period.end_s"),
    _python("a discount begins a second late", "billing/discounts", "if each[0] <= instant_s)", "if each[0] < instant_s)"),
    _python("a length that left its list keeps its discount", "billing/discounts", "if each[0] <= instant_s)", "if each[0] <= instant_s and each[1])"),
    _python("a location's discounts count everywhere", "billing/discounts", "or location not in self._first_s:", "or not (location := min(self._first_s, default='')):"),
    _python("an older reading replaces a newer one", "ingest/readings", 'known["read_s"] < reading.read_s)', 'known["read_s"] != reading.read_s)'),
    _python("a reading replaces what was declared", "ingest/readings", '(known["read_s"] is not None and known["read_s"] <', '((known["read_s"] or 0) <'),
    _python("the oldest reading of a batch counts", "ingest/readings", "newest[key][0].read_s < reading.read_s", "newest[key][0].read_s > reading.read_s"),
    _python("what says the same again is a fact", "ingest/readings", "earlier if key and model.key[-1] == _FROM else None", "None"),
    _python("what is in force before is what is in force after", "ingest/readings", "t.{_FROM} < w.{_FROM}", "t.{_FROM} > w.{_FROM}"),
    _python("an old list takes back what came after it", "ingest/withdrawals", " and from_s < begins_s", ""),
    _python("a discount that left its list stays", "ingest/withdrawals", "if period and period not in named", "if period and period in ()"),
    _sql("a list that was read since is told unread", "billing/unread_lists", "and noted_s > last_read_s", ""),
    _sql("one passing fault is told", "billing/unread_lists", "having count(distinct noted_s) > 1", "having count(distinct noted_s) > 0"),
    _sql("what fails after the period is told", "billing/unread_lists", " and min(noted_s) < $stop_s", ""),
    _sql("each reading is noted", "staging/recovered_lists", " and outcome_before = 'failed'", ""),
    _sql("prices are read for one account", "staging/recovered_lists", "case when resource = 'pricing' then '' else account end", "account"),
    _sql("any account's reading counts", "staging/recovered_lists", "partition by endpoint, account, resource", "partition by endpoint, resource"),
    _sql("any endpoint's reading counts", "staging/recovered_lists", "partition by endpoint, account, resource", "partition by account, resource"),
    _python("folds of one block are told once", "ingest/folds", "one[1] < other[0]", "one[1] <= other[0]"),
    _python("an empty label is told once", "ingest/folds", "not any(is_empty for *_, is_empty in spans) and ", ""),
    _python("sizes that are text are told once", "ingest/folds", '"size_bytes" not in values or ', ""),
    _sql("a run goes on over a gap", "staging/new_runs", "        or before_key <> first_poll_key - 1\n", ""),
    _sql("a run goes on under another label", "staging/new_runs", "        or before_label_key <> label_key\n", ""),
    _sql("a run ends where the next begins", "staging/new_runs", "coalesce(lead(before_key) over (partition by series_key order by first_poll_key), end_key)", "end_key"),
    _sql("a missing feed is held", "levels/scope_steps", "when l.level >= s.held and l.level < s.missing", "when l.level >= s.held"),
    _sql("what is held counts nothing", "levels/scope_steps", "when l.level >= s.held then l.level - s.held else", "when l.level >= s.held then 0 else"),
    _sql("time from held to missing is measured", "levels/scope_changes", "then s.missing - s.held else -s.held end", "then -s.held else -s.held end"),
    _python("a late poll restates every account", "books/causes", "self.account in (None, account)", "True"),
    _python("a price of one location restates every other", "books/causes", 'self.location == "" or self.location in locations', "True"),
    _python("a price in one currency restates every other", "books/causes", "self.currency is None or self.currency == currency", "True"),
    _python("a price of one level restates every other", "books/causes", "self.level is None or self.level in levels", "True"),
    _python("a late price restates nobody", "books/history", "accounts = doubt.accounts | touched", "accounts = doubt.accounts"),
    _sql("all is computed of whoever is asked about", "billing/asked_collections", "or a.account is not null", "or true"),
    _python("settled: what is set today counts", "billing/discounts", "next(settled, self.otherwise)", "self.otherwise"),
    _python("settled: late lists restate nothing", "reporting/focus/corrections",
            " or _is_discounted_otherwise(engine, history, terms, computation)", ""),
    _python("FOCUS: a late purchase of an account without a statement is not seen", "reporting/focus/corrections",
            "history.is_stale_of_anybody(computation)", "history.doubt(computation)"),
    _python("FOCUS: what was is told for what is", "reporting/focus/corrections", "return was | now | {", "return now | was | {"),
    _sql("a level ends with its scope only", "levels/scope_steps", "coalesce(l.next_starts_at_s, l.until_s)", "l.until_s"),
    _sql("days of a level are not cut", "levels/scope_instants", "    or max(c.is_cut) = 1\n", ""),
    _python("a sum goes on into the next key", "engine/duckdb", "as {quoted_name(along)}, {rests} from {quoted_name(table)} group", "as {quoted_name(along)}, {rests} from {quoted_name(table)} where false group"),
    _python("what takes all back comes first", "engine/duckdb", "nulls last", "nulls first"),
    _python("days with one between them tell growth", "planning/growth", " if after.date_s - before.date_s == SECONDS_PER_DAY", ""),
    _python("daily changes are all that there ever were", "planning/growth", "/ (len(changes) - 1))", "/ len(changes))"),
    _python("a picture leaves out what is bought", "planning/advise", "MONTH_SECONDS + unit.cost.at(kept + amount)", "MONTH_SECONDS + unit.cost.at(amount)"),
    _python("what is bought is paid for its nominal seconds", "planning/advise", '(row["end_s"] - row["start_s"]) if', 'row["nominal_seconds"] if'),
    _python("a cost that nobody knows is none", "planning/advise", "None if cost is None or before.cost_per_second is None else before.cost_per_second + cost",
            "None if cost is None else (before.cost_per_second or 0) + cost"),
    _python("a purchase costs what it cost when the history began", "planning/advise", "SUBSCRIPTION_LEVEL, computation.stop_s)",
            "SUBSCRIPTION_LEVEL, computation.period.start_s)"),
    _python("burst ahead costs what it cost the second before", "planning/outlook", "= computation.period.end_s\n", "= computation.period.end_s - 1\n"),
    _python("a month that burst without a price costs the rest", "planning/outlook", "None if line.amount is None or before is None else before + Fraction(line.amount)",
            "(before or Fraction(0)) + Fraction(line.amount or 0)"),
    _python("burst begins where the most of a day is passed", "planning/outlook", "if size > min(amount", "if size > max(amount"),
    _python("what is just tolerated is a finding", "reporting/reconcile/tally", "> self._tolerance", ">= self._tolerance"),
    _python("an explanation holds what was measured for 1.5 cycles", "reporting/explain/line", "<= 3 * clock.cycle_s", "< 3 * clock.cycle_s"),
    _python("an extension until an instant costs what the subscription did", "planning/quote",
            "Interval(last.end_s, end_s, end_s - last.end_s)", "Interval(last.end_s, end_s, last.nominal_seconds)"),
    _python("what has an end is extended by its period", "planning/quote", "order.term if order.end_s is None else None", "order.term"),
    _python("what was bought until an end is extended by its period", "planning/quote", ' and subscription["declared_end_s"] is None else None', " else None"),
    _python("a month is reached a second late", "billing/months", "<= reach_s", "< reach_s"),
    _sql("line 10 comes before line 9", "billing/open_rejections", "order by r.file, r.line", "order by r.file, cast(r.line as varchar)"),
    _python("reconcile: a look holds for two cycles", "reporting/reconcile/samples", "2 * (next_s - at_s) <= 3", "2 * (next_s - at_s) <= 4"),
    _python("reconcile: a look at the end is inside", "reporting/reconcile/samples", "start_s <= row.poll_s < stop_s", "start_s <= row.poll_s <= stop_s"),
    _python("reconcile: what burst is what was occupied", "reporting/reconcile/samples", "lambda step: step.occupied_bytes)", "lambda step: step.burst_bytes)"),
    _python("reconcile: what is added costs all it is", "reporting/reconcile/samples",
            "_cost(own, step, level + row.size_bytes) - _cost(own, step, level)", "_cost(own, step, row.size_bytes)"),
    _python("reconcile: a peak of just twice ours is wrong", "reporting/reconcile/daily", "row.peak_bytes <= 2 * day.peak", "row.peak_bytes < 2 * day.peak"),
    _python("reconcile: a change moves a day by two cycles", "reporting/reconcile/daily", "Fraction(0)) * cycle_s,", "Fraction(0)) * 2 * cycle_s,"),
    _python("reconcile: missing time counts twice", "reporting/reconcile/daily", "rest <= missing_s * highest", "rest <= 2 * missing_s * highest"),
    _python("reconcile: missing time explains that they charge less", "reporting/reconcile/daily", "(missing_s if rest < 0 else 0)", "0"),
    _python("reconcile: a price is another one up to twenty times ours", "reporting/reconcile/lines", "_PRICE_TIMES = 10", "_PRICE_TIMES = 20"),
    _python("reconcile: a price has five decimals", "reporting/reconcile/lines", "_PRICE_PLACES = 4", "_PRICE_PLACES = 5"),
    _python("reconcile: a poll beyond the jitter is their look", "reporting/reconcile/lines", "jitter_s + 1, end_s)", "jitter_s + 2, end_s)"),
    _python("reconcile: a line before the period has seen ours", "reporting/reconcile/lines", '    if is_cut:\n        return "cut"\n', ""),
    _python("reconcile: a line is shifted by a day", "reporting/reconcile/ledger", "_FAR_CYCLES, _NEAR_CYCLES = 12, 2", "_FAR_CYCLES, _NEAR_CYCLES = 24, 2"),
    _python("reconcile: a gap of just the jitter is none of it", "reporting/reconcile/ledger", "elif gap.seconds <= beat.jitter_s:", "elif gap.seconds < beat.jitter_s:"),
    _python("reconcile: a line is shifted into held time", "reporting/reconcile/ledger", "if not gap.is_measured or gap.seconds", "if gap.seconds"),
    _python("reconcile: a line that touches the period is inside", "reporting/reconcile/ledger",
            "row.start_s < stop_s and row.end_s > start_s", "row.start_s <= stop_s and row.end_s >= start_s"),
    _python("reconcile: rows of nobody end as they begin", "reporting/reconcile/report", "(min(starts), max(ends))", "(min(starts), max(starts))"),
    _python("reconcile: a line of another account is further off", "reporting/reconcile/strayed", "each.end_s <= missing.end + jitter_s", "each.end_s < missing.end + jitter_s"),
    _python("reconcile: a line of another account is as long to the second", "reporting/reconcile/strayed", "<= jitter_s\n        and abs(amount", "< jitter_s\n        and abs(amount"),
    _python("bounds of a forecast are the 10th and 90th percentile", "planning/forecasting", "alpha=1 / 10", "alpha=1 / 5"),
    _sql("FOCUS: subscriptions cover what others occupy", "focus/covered_usage", "        on s.account = p.account\n        and s.location", "        on s.location"),
    _sql("FOCUS: what is covered only at the peak is not", "focus/covered_usage", "max(occupied_bytes) as peak_bytes", "min(occupied_bytes) as peak_bytes"),
    _sql("FOCUS: a subscription that is just not reached covers", "focus/covered_usage", "s.upper_bytes - s.amount < p.peak_bytes", "s.upper_bytes - s.amount <= p.peak_bytes"),
    _python("time does not end at as_of", "billing/usage", "stop_s = min(period.end_s, clock_s)", "stop_s = period.end_s"),
)  # fmt: skip


def survives(mutant: Mutant, copy: Path) -> bool:
    """Plant a mutant, run the tests until the first that fails, and take it out again."""
    file = copy / mutant.file
    sound = file.read_text(encoding="utf-8")
    assert mutant.old in sound, f"{mutant.name}: {mutant.file} has no {mutant.old!r}"
    imports = "from bisect import bisect_left\n" if "bisect_left" in mutant.new else ""
    text = sound.replace(mutant.old, mutant.new)
    file.write_text(text.replace("from bisect import", f"{imports}from bisect import", 1), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    is_of_books = file.parent.name == "books" or file.stem == "seals"
    if is_of_books:
        rounds: list[Sequence[str]] = [BOOKS, ["tests/books"]]
    elif file.stem in SOUGHT_BY:
        rounds = [SOUGHT_BY[file.stem]]
    else:
        rounds = [["tests/cases", "-k", f"product and {FIRST[file.stem]}:"], TESTS]
    try:
        runs = (subprocess.run([*pytest, *tests], cwd=copy, env=environment, capture_output=True, check=False) for tests in rounds)
        return all(run.returncode == 0 for run in runs)
    finally:
        file.write_text(sound, encoding="utf-8")


def main(words: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if all(word in mutant.name for word in words)]
    survivors = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder)
        for name in ("metering", "queries", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        for mutant in chosen:
            if survives(mutant, copy):
                survivors.append(mutant.name)
            print(f"{'SURVIVED' if mutant.name in survivors else 'found   '} {mutant.name}", flush=True)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} planted bugs were found")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
