"""Whatever its owner typed, a name leaves as it came; only what a spreadsheet would run gets a quote in front."""

import csv
import io
import json
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering.model.tables import Column, Table
from metering.reporting.files import csv_text, ndjson_text, spreadsheet_text

EXAMPLES = int(os.environ.get("METERING_EXAMPLES", "100"))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    [";", '"', "a\nb", "\ufeffname", "\u202eabc", "=1+1", " @x", "\t-1", "\r\n", "a,b;c", "'", "\u00a0=x"]
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(NAMES, min_size=1, max_size=5))
def test_names_come_back_from_csv_and_from_json_as_they_were(names):
    table = Table("names", (Column("name", "text"), Column("size", "bytes")), [(name, 2**63 + n) for n, name in enumerate(names)])
    rows = list(csv.DictReader(io.StringIO(csv_text(table), newline="")))
    assert [row["name"] for row in rows] == [spreadsheet_text(name) for name in names]
    assert [row["size"] for row in rows] == [str(2**63 + n) for n in range(len(names))]
    documents = [json.loads(line) for line in ndjson_text(table).split("\n") if line]
    assert [row["name"] for row in documents] == names
    for name in names:
        assert spreadsheet_text(name) in (name, "'" + name)
