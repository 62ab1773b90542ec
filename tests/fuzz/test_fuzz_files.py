"""Fact files of any cells, and Parquet whose bytes were changed: taken or told in one line, in bounded memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_files import taken_or_told, tried
from hypothesis import given
from hypothesis import strategies as st
from small_world import COLUMNS

EXAMPLES = int(os.environ.get("METERING_EXAMPLES", "8"))
# Each example is two ingests and a bill.
few = tried(4)
WORDS = st.sampled_from([
    "", "A", "ZRH", "s", "00123", "NA", "null", "NaN", "inf", "-1", "0", "5", "1.5", "1e9", "1E2000000", "9" * 25, "9" * 5_000, "0x10", "true",
    "2026-10-05", "2026-10-05T00:00:00Z", "2026-10-05T00:00:00+14:00", "2026-10-05T00:00:00", "0000-01-01", "9999-12-31T23:59:59Z", "1 month",
    "999999999 years", "backup", "GB/month", "2783138807808000", "CHF", "XXX", "=1+1", "\x00", "\ufeff", "\u202e", "a" * 129, "\U0001f600", '"',
    "a\nb", "a\r\nb", ",", ";", "'; drop table polls; --", "{}", "[]",
])  # fmt: skip
CELLS = WORDS | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
VALUES = (
    CELLS
    | st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.lists(WORDS, max_size=2)
    | st.dictionaries(WORDS, WORDS, max_size=2)
)

# Ingests Parquet files whose bytes are changed by seeds, within a bound on memory; prints a line for each.
CHANGED = """
import io, json, random, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from hostile_files import SEEDS, taken_or_told
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
names = [name for name in SEEDS if name.endswith(".parquet")]
for seed in range(int(sys.argv[2])):
    lot = random.Random(seed)
    name = lot.choice(names)
    content = bytearray(SEEDS[name])
    # Half of the changes are in the footer, which says where everything is and how large.
    for _ in range(lot.choice([1, 1, 2, 8])):
        first = len(content) // 2 if lot.random() < 0.5 else 4
        place = lot.randrange(first, len(content) - 8)
        content[place] = lot.choice([0, 1, 127, 128, 255, content[place] ^ 1 << lot.randrange(8)])
    if lot.random() < 0.1:
        del content[lot.randrange(len(content)):]
    taken_or_told(name, bytes(content))
    print(seed, flush=True)
"""


def csv_text(columns, rows):
    quoted = [[f'"{cell}"' if cell and any(c in cell for c in ',"\n\r') else cell for cell in row] for row in rows]
    return "".join(",".join(row) + "\n" for row in [columns, *quoted])


@pytest.mark.parametrize("table", COLUMNS)
@few
@given(data=st.data())
def test_csv_of_any_cells_is_taken_or_told(table, data):
    columns = COLUMNS[table]
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(columns), max_size=len(columns)), min_size=1, max_size=6))
    taken_or_told(f"{table}.csv", csv_text(columns, rows).encode())


@pytest.mark.parametrize("table", COLUMNS)
@few
@given(data=st.data())
def test_ndjson_of_any_values_is_taken_or_told(table, data):
    rows = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(COLUMNS[table], VALUES)), min_size=1, max_size=6))
    taken_or_told(f"{table}.ndjson", "".join(json.dumps(row) + "\n" for row in rows).encode())


@few
@given(
    st.lists(
        st.fixed_dictionaries({
            "poll_time": VALUES, "endpoint": VALUES, "account": VALUES,
            "response": VALUES | st.fixed_dictionaries({"meta": VALUES, "objects": VALUES | st.lists(st.fixed_dictionaries({
                "uuid": VALUES, "location": VALUES, "allocated_size": VALUES, "owner": VALUES, "drive": VALUES, "status": VALUES}), max_size=3)}),
        }), min_size=1, max_size=4)
)  # fmt: skip
def test_captures_of_any_values_are_taken_or_told(lines):
    taken_or_told("x.capture.ndjson", "".join(json.dumps(line) + "\n" for line in lines).encode())


def test_parquet_whose_bytes_were_changed_is_taken_or_told():
    helpers = str(Path(__file__).resolve().parent.parent)
    ended = subprocess.run([sys.executable, "-c", CHANGED, helpers, str(EXAMPLES)], capture_output=True, text=True, check=False)
    tried = ended.stdout.split()
    assert ended.returncode == 0, f"seed {len(tried)}: {ended.stderr[-2_000:]}"
    assert tried == [str(seed) for seed in range(EXAMPLES)]
