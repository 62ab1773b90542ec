"""What findings say in figures: how many there are, the first and the last of them."""

from small_world import GIB, meter_of, polls

from metering.model.records import Bill

DAY = "2026-10-01"


def told(bill: Bill, check: str):
    return [(finding.count, finding.message) for finding in bill.findings if finding.check == check]


def test_the_first_row_that_was_not_taken_is_the_first_by_its_number(tmp_path):
    """Lines 9, 10 and 100 of the file have no size that is one; as texts, 10 comes before 9."""
    samples = polls("2026-10-01T00:00:00Z", "2026-10-01T12:00:00Z", {"s": GIB})
    for line in (9, 10, 100):
        samples[line - 2]["allocated_size"] = "-1"
    ((count, message),) = told(meter_of(tmp_path, samples=samples).bill(DAY), "rejected_rows")
    assert (count, message.startswith("3 rows of samples not taken, the first ")) == (3, True)
    assert "samples.csv line 9: " in message
