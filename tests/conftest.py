"""What every test may use: the switch that writes the manuals' shown output anew."""


def pytest_addoption(parser):
    parser.addoption(
        "--update-docs",
        action="store_true",
        help="Write what the commands in the manuals print into the manuals, instead of comparing.",
    )
