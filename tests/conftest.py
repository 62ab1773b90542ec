"""What holds for every test: the switch that writes the manuals' shown output anew, and that no example is too slow."""

from hypothesis import HealthCheck, settings

# However loaded the machine is.
settings.register_profile("loaded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("loaded")


def pytest_addoption(parser):
    parser.addoption(
        "--update-docs",
        action="store_true",
        help="Write what the commands in the manuals print into the manuals, instead of comparing.",
    )
