"""How much is tried: a little in the suite, the same every time; other things, and more, with `METERING_EXAMPLES=5000`."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fuzz", max_examples=int(os.environ.get("METERING_EXAMPLES", "15")), deadline=None, database=None, print_blob=True,
    derandomize="METERING_EXAMPLES" not in os.environ, suppress_health_check=list(HealthCheck),
)  # fmt: skip
settings.load_profile("fuzz")
