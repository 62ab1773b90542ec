"""The name of a clone when none is given, by the `clone_naming` of the owner's profile.

`NONE` keeps the name; `COUNTER` counts on (`x` → `x_1` → `x_2`); `DATE` and `TIMESTAMP` append a stamp or bring the one that is
there up to date; where it is up to date already, a counter follows it. Source: PROVIDER.md.
"""

import re

from metering.model.period import moment

STRATEGIES = ("NONE", "COUNTER", "DATE", "TIMESTAMP")

_COUNTER = re.compile(r"(.*)_([0-9]{1,9})", re.DOTALL | re.ASCII)
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_STAMPS = {
    "DATE": (re.compile(rf"(.*)_{_DATE}", re.DOTALL | re.ASCII), "%Y-%m-%d"),
    "TIMESTAMP": (re.compile(rf"(.*)_{_DATE}_[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}", re.DOTALL | re.ASCII), "%Y-%m-%d_%H:%M:%S"),
}


def clone_name(name: str, strategy: str, now_s: int) -> str:
    """Name a clone of `name`.

    >>> clone_name("x", "COUNTER", 0), clone_name("x_1", "COUNTER", 0), clone_name("x", "DATE", 0)
    ('x_1', 'x_2', 'x_1970-01-01')
    """
    if strategy == "NONE":
        return name
    if strategy == "COUNTER":
        return _counted(name)
    pattern, form = _STAMPS[strategy]
    stamp = moment(now_s).strftime(form)
    counted = _COUNTER.fullmatch(name)
    if name.endswith(f"_{stamp}") or (counted and counted[1].endswith(f"_{stamp}")):
        return _counted(name, after=stamp)
    stamped = pattern.fullmatch(name) or (counted and pattern.fullmatch(counted[1]))
    return f"{stamped[1] if stamped else name}_{stamp}"


def _counted(name: str, after: str = "") -> str:
    """Count on; digits that belong to the stamp `after` are no counter."""
    match = _COUNTER.fullmatch(name)
    if match is None or (after and name.endswith(f"_{after}")):
        return f"{name}_1"
    return f"{match[1]}_{int(match[2]) + 1}"
