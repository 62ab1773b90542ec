"""Charts as SVG and PNG: Vega-Lite specifications, drawn without a browser, a script or a network.

A specification is a file beside this module, to be opened in any Vega editor; `@ink` and the like in it are colours of a palette.
A chart maps exact figures to pixels, which are no figures any more: nobody reads a number back from it.
"""

import json
import mmap
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from metering.durable import replaced
from metering.model.errors import InputError, MisuseError
from metering.model.tables import printable
from metering.model.units import GIB_BYTES

Spec = dict[str, Any]
Rows = list[dict[str, Any]]

_SPECS = Path(__file__).parent
# More characters of a name are no help to the eye, and a chart has an edge.
_SHOWN_LENGTH = 48
_SHOWN_END = 16
# What it has open at most, one core a few less, and what else a picture needs.
_CONVERTERS_FILES = 20
# What it reserves, used or not: V8 has room for all it may ever address.
_CONVERTERS_GIB = 65
_COORDINATE = re.compile(r"-?[0-9]+[.][0-9]+")
_PATH = re.compile(r' d="[^"]+"')

LIGHT = {
    "ink": "#1b1f24", "faint": "#5c6670", "line": "#d5dae0", "paper": "#ffffff", "band": "#eef1f4",
    "occupied": "#1f6feb", "entitled": "#1b1f24", "burst": "#d1480f", "subscription": "#4f7d95",
    "missing": "url(#missing)", "partial": "url(#partial)",
}  # fmt: skip
DARK = LIGHT | {
    "ink": "#e6e9ec", "faint": "#9aa4ae", "line": "#363d45", "paper": "#14171a", "band": "#1c2126",
    "occupied": "#6cb0ff", "entitled": "#e6e9ec", "burst": "#ff8f4d", "subscription": "#7fb0c8",
}  # fmt: skip
# On a page the colours are the page's own, so that one picture serves light, dark and paper.
ON_PAGE = {name: color if color.startswith("url") else f"var(--{name})" for name, color in LIGHT.items()}


def hatches(palette: Mapping[str, str]) -> str:
    """Give the patterns of missing and partial time: lines both ways for what nobody saw, one way for what was seen in part."""
    lines = f'stroke="{palette["faint"]}" stroke-width="1"'
    tile = '<pattern id="{}" width="6" height="6" patternUnits="userSpaceOnUse"><path d="{}" fill="none" {}/></pattern>'
    rising, falling = "M-1,1l2,-2M0,6l6,-6M5,7l2,-2", "M-1,5l2,2M0,0l6,6M5,-1l2,2"
    return f"<defs>{tile.format('missing', rising + falling, lines)}{tile.format('partial', rising, lines)}</defs>"


def label(text: str) -> str:
    """Show a name from outside in a picture: no control character, no change of direction, not longer than there is room.

    What is left out is in the middle: customers of one name are told apart by its end.
    """
    bare = printable(text)
    return bare if len(bare) <= _SHOWN_LENGTH else f"{bare[: _SHOWN_LENGTH - _SHOWN_END - 1]}…{bare[-_SHOWN_END:]}"


@cache
def _loaded(name: str) -> str:
    return (_SPECS / f"{name}.vl.json").read_text(encoding="utf-8")


def specification(name: str, palette: Mapping[str, str]) -> Spec:
    """Give a chart's specification in the colours of a palette, without data."""
    spec: Spec = json.loads(_loaded("theme")) | json.loads(_loaded(name))
    return _colored(spec, palette)  # type: ignore[no-any-return]  # an object stays one


def _colored(part: Any, palette: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {name: _colored(value, palette) for name, value in part.items()}
    if isinstance(part, list):
        return [_colored(value, palette) for value in part]
    return palette[part[1:]] if isinstance(part, str) and part.startswith("@") else part


def svg(spec: Spec) -> str:
    """Draw a specification; nothing is fetched, whatever it names.

    The converter is given text: it takes no integer of 64 bits or more as an object, and byte-seconds of a day have such.
    """
    return _trimmed(_converter().vegalite_to_svg(json.dumps(spec), allowed_base_urls=[]))


class Drawer:
    """Draws one specification over and over with other data: it is compiled once, which takes longer than drawing."""

    def __init__(self, spec: Spec) -> None:
        self._spec = _converter().vegalite_to_vega(spec | {"data": {"name": "table", "values": []}})

    def svg(self, rows: Rows) -> str:
        """Draw the rows."""
        tables = [{**table, "values": rows} if table["name"] == "table" else table for table in self._spec["data"]]
        return _trimmed(_converter().vega_to_svg(json.dumps(self._spec | {"data": tables}), allowed_base_urls=[]))


def _trimmed(drawn: str) -> str:
    """Cut coordinates to a tenth of a pixel, which is half of a picture's size."""

    def cut(match: re.Match[str]) -> str:
        whole, _, decimals = match[0].partition(".")
        return f"{whole}.{decimals[0]}" if decimals[0] != "0" else whole

    return _PATH.sub(lambda path: _COORDINATE.sub(cut, path[0]), drawn)


def picture_format(path: Path) -> str:
    """Tell a picture's format by its name.

    Raises:
        MisuseError: the ending is none that is drawn.
    """
    form = path.suffix.lower().removeprefix(".")
    if form not in ("png", "svg"):
        raise MisuseError(f"{path} tells no format: end it in .png or .svg")
    return form


def write_picture(spec: Spec, palette: Mapping[str, str], path: Path) -> None:
    """Draw a chart to a file; it is there whole, or as it was before.

    Raises:
        MisuseError: the file's name tells no format.
        InputError: it cannot be written, or what draws is not installed.
    """
    form = picture_format(path)
    drawn = svg(spec).replace("><", f">{hatches(palette)}<", 1)
    with replaced(path) as place:
        if form == "svg":
            place.write_text(drawn, encoding="utf-8", newline="")
        else:
            place.write_bytes(_converter().svg_to_png(drawn))


def assert_installed() -> None:
    """Refuse to begin what could not be drawn in the end.

    Raises:
        InputError: what draws is not installed.
    """
    _converter()


def _converter() -> ModuleType:
    try:
        import vl_convert  # noqa: PLC0415 -- an extra
    except ImportError:
        raise InputError("charts need vl-convert-python: pip install 'metering[report]'") from None
    _assert_room()
    return vl_convert


@cache
def _assert_room() -> None:
    """Fail where the process may not have open or map what the converter does: it gives up in a way that nobody can catch.

    Raises:
        InputError: it may not.
    """
    try:
        mmap.mmap(-1, _CONVERTERS_GIB * GIB_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 0).close()
    except OSError as error:
        raise InputError(
            f"charts need {_CONVERTERS_GIB} GiB of addresses, of memory a hundredth ({error.strerror}): raise the bound (ulimit -v)"
        ) from None
    opened: list[int] = []
    try:
        opened.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(_CONVERTERS_FILES))
    except OSError as error:
        raise InputError(
            f"charts need {_CONVERTERS_FILES} more open files ({error.strerror}): raise the bound (ulimit -n)"
        ) from None
    finally:
        for descriptor in opened:
            os.close(descriptor)
