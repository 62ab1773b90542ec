"""Random hostile worlds, billed by the product and by the oracle: every field of every row is the same."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from judge import differences, oracle_bill, product_bills
from worlds import World

SEEDS = st.integers(min_value=0, max_value=2**40)


@given(seed=SEEDS)
@settings(max_examples=4 * settings.default.max_examples)
def test_every_field_of_a_bill_is_what_the_oracle_says(seed):
    world = World.random(seed)
    questions = [world, *world.asked(2)]
    with tempfile.TemporaryDirectory() as directory:
        bills = product_bills(world, questions, Path(directory))
    for question, document in zip(questions, bills, strict=True):
        assert differences(oracle_bill(question), document) == [], question.period
