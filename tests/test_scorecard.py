"""The scorecard cannot be passed by doing nothing."""

import pytest
from scorecard import Card


def test_a_count_of_nothing_fails(capsys):
    card = Card()
    card.line("faults", 0)
    card.line("checks", 1_234_567)
    assert card.problems == ["faults: none"]
    assert "1 234 567  checks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "passed", "problems"),
    [("pass", 1, 0), ("assert False", 0, 1), ("__import__('pytest').skip('not here')", 0, 1)],
)
def test_a_test_that_was_skipped_or_failed_fails(tmp_path, body, passed, problems):
    file = tmp_path / "test_something.py"
    file.write_text(f"def test_it():\n    {body}\n")
    card = Card()
    assert card.tests("--rootdir", str(tmp_path), "-c", "/dev/null", str(file)) == passed
    assert len(card.problems) == problems


def test_no_tests_at_all_fail(tmp_path):
    card = Card()
    assert card.tests("--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path)) == 0
    assert len(card.problems) == 1
