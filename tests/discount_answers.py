"""Answers of the provider's about its discounts, as the collector spools them."""

import json
from pathlib import Path


def said(folder: Path, name: str, read: str, endpoint: str, **values: str) -> Path:
    """Write what an endpoint said of discounts by length (`3_months`) when it was read."""
    objects = [{"period": period.replace("_", " "), "value": value} for period, value in values.items()]
    line = {
        "poll_time": read, "endpoint": endpoint, "account": "A", "resource": "discount", "location": endpoint, "account_name": "",
        "response": {"meta": {"limit": 0, "offset": 0, "total_count": len(objects)}, "objects": objects},
    }  # fmt: skip
    path = folder / f"{name}.answer.ndjson"
    path.write_text(json.dumps(line) + "\n")
    return path
