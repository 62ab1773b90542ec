"""A bill as what is frozen of it, one document an account, and back again."""

import json
from collections import defaultdict
from typing import Any

from metering.billing.findings import finding_order
from metering.books.closings import canonical
from metering.model.errors import StoreError
from metering.model.period import Period
from metering.model.records import Bill, BilledPeriod

PARTS = ("usage", "lines", "episodes", "statements")


def frozen(bill: Bill) -> tuple[dict[str, str], str]:
    """Give the documents of a bill by account, and the findings that belong to no statement; all as canonical JSON.

    A statement that can be billed becomes `closed`; one with an unpriced line stays `parked`, and nothing of it is billed.
    """
    said = bill.document()
    by_account: defaultdict[str, dict[str, Any]] = defaultdict(lambda: {part: [] for part in (*PARTS, "findings")})
    for part in PARTS:
        for row in said[part]:
            state = {"state": "parked" if row["state"] == "parked" else "closed"} if part == "statements" else {}
            by_account[row["account"]][part].append(row | state)
    elsewhere = []
    for finding in said["findings"]:
        if finding["account"] in by_account:
            by_account[finding["account"]]["findings"].append(finding)
        else:
            elsewhere.append(finding)
    return {account: canonical(document) for account, document in by_account.items()}, canonical(elsewhere)


def thawed(period: Period, as_of_s: int, documents: dict[str, str], findings: str) -> Bill:
    """Give frozen documents as the bill they were, in its order.

    Raises:
        StoreError: a document was changed so that it is none any more.
    """
    rows: dict[str, list[Any]] = {part: [] for part in (*PARTS, "findings")}
    try:
        for _, text in sorted(documents.items()):
            document = json.loads(text)
            for part, into in rows.items():
                into.extend(document[part])
        rows["findings"].extend(json.loads(findings))
        bill = Bill.model_validate({"period": BilledPeriod(start=period.start_s, end=period.end_s, as_of=as_of_s), **rows})
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"a frozen statement of {period.text} was changed; `metering verify` tells more") from None
    return bill.model_copy(update={"findings": sorted(bill.findings, key=finding_order)})
