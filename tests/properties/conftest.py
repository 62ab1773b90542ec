"""How many examples the properties try: a few in the suite, thousands with `METERING_EXAMPLES=5000 pytest tests/properties`."""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("METERING_EXAMPLES", "0"))

# Worlds are made and billed in some tenths of a second, so no deadline; a seed says all, so nothing is kept in a database.
settings.register_profile(
    "worlds",
    max_examples=EXAMPLES or 3,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
settings.load_profile("worlds")
