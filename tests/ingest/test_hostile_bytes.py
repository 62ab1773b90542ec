"""Whatever bytes a fact file holds, ingest takes what is sound, says what is not, and never falls over."""

import pytest
from hostile_files import EXAMPLES, HOSTILE, SEEDS, mutated, taken_or_told
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("name", SEEDS)
def test_a_mutated_file_is_taken_or_told_and_never_a_traceback(name):
    @settings(max_examples=EXAMPLES, **HOSTILE)
    @given(mutated(SEEDS[name]))
    def check(content):
        taken_or_told(name, content)

    check()


@settings(max_examples=2 * EXAMPLES, **HOSTILE)
@given(st.sampled_from(list(SEEDS)), st.binary(min_size=1, max_size=200))
def test_random_bytes_are_taken_or_told_and_never_a_traceback(name, content):
    taken_or_told(name, content)
