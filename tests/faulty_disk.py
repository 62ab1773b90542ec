"""A disk that fails at the n-th change, for real: tests/faulty_disk.c, compiled once and loaded into a program of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("faulty_disk.c")
WAYS = ("kill", "torn", "term", "int", "eio", "enospc")


def compiled(folder: Path, source: Path = SOURCE) -> Path | None:
    """Compile the disk, or another library that takes the place of calls; None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    library = folder / f"{source.stem}.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def on_a_faulty_disk(
    library: Path, folder: Path, words: list[str], at: int = 0, way: str = "kill"
) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run a metering command while the disk below a folder fails at its `at`-th change; give what it said and its changes."""
    count = folder.parent / "changes.txt"
    count.unlink(missing_ok=True)
    environment = os.environ | {
        "LD_PRELOAD": str(library), "FAULTY_FOLDER": str(folder.resolve()), "FAULTY_AT": str(at), "FAULTY_HOW": way,
        "FAULTY_COUNT": str(count),
    }  # fmt: skip
    command = [sys.executable, "-m", "metering", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)
    return done, int(count.read_text()) if count.exists() else 0
