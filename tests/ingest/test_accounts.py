"""The file of accounts: who is charged in which currency, and what to call them."""

import metering


def test_an_account_needs_no_name(tmp_path):
    (tmp_path / "accounts.csv").write_text("account,currency\nacme,CHF\n")
    (tmp_path / "samples.csv").write_text(
        "poll_time,location,account,snapshot,allocated_size\n2026-10-01T00:00:00Z,ZRH,acme,s1,1\n"
    )
    with metering.open(":memory:") as meter:
        assert meter.ingest(tmp_path).tables["accounts"].accepted == 1
        (statement,) = meter.bill("2026-10").statements
    assert (statement.name, statement.currency) == ("", "CHF")
