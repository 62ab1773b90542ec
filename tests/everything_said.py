"""Gives every command of a table, one after another in one process and folder, and keeps what each printed and wrote.

    python tests/everything_said.py FOLDER <lines

FOLDER holds the facts. What a line prints goes to `said/NUMBER.out` and `.err`; `{charge}` and the like stand for what an earlier
line printed. The clock stands still, so that what names an instant may be compared; everything else is the process's own.
"""

import contextlib
import io
import json
import os
import shlex
import sys
import time
from pathlib import Path

NOW_S = 1_796_083_200  # 2026-12-01T00:00:00Z


def say(line: str, place: Path) -> int:
    """Run one command line as the program does, what it prints going to files of their own."""
    from metering.cli import main  # noqa: PLC0415 -- after the clock was stopped

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    sys.argv = ["metering", *shlex.split(line)]
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    for stream, ending in ((out, "out"), (err, "err")):
        stream.flush()
        place.with_suffix(f".{ending}").write_bytes(stream.buffer.getvalue())
    return code


def main(folder: Path, lines: list[str]) -> None:
    os.chdir(folder)
    time.time = lambda: float(NOW_S)
    Path("said").mkdir()
    codes = {}
    names: dict[str, str] = {}
    for number, line in enumerate(lines):
        place = Path("said") / f"{number:02d}"
        codes[line] = say(line.format_map(names), place)
        if line.startswith("bill") and "--format json" in line:
            bill = json.loads(place.with_suffix(".out").read_bytes())
            for charge in bill["lines"]:
                names.setdefault(charge["kind"], charge["charge_id"])
            first = bill["lines"][0]
            names |= {"account": first["account"], "location": first["location"]}
    Path("said/codes.json").write_text(json.dumps(codes), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.stdin.read().splitlines())
