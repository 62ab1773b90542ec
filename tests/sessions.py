"""Golden sessions: the commands in a manual's code blocks are run, and what it shows is compared with what they print.

A ```console block holds `$ command` lines (continued by `> ` lines), each with its output under it; a ```pycon block holds
`>>> ` lines. Blocks of one chapter run in their order, in one new folder; a chapter is what stands between two `## ` headings.
Output goes to a terminal of 120 columns, so that it looks as it does to a person; messages come before results.
"""

import ast
import contextlib
import difflib
import doctest
import io
import os
import pty
import re
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COLUMNS = "120"
_FENCE = re.compile(r"```(console|pycon)\n(.*?)```\n", re.DOTALL)


@dataclass(frozen=True)
class Chapter:
    """A part of a document: its heading and its text."""

    title: str
    text: str

    @property
    def has_sessions(self) -> bool:
        return _FENCE.search(self.text) is not None


def chapters(document: str) -> list[Chapter]:
    """Take a document apart at its `## ` headings; joined, the texts are the document."""
    parts = re.split(r"^(?=## )", document, flags=re.MULTILINE)
    return [Chapter(part.split("\n", 1)[0].lstrip("# ").strip(), part) for part in parts]


def replayed(text: str, folder: Path) -> str:
    """Run every session of a text in a folder, and give the text with what was really printed."""
    names: dict[str, object] = {}

    def replace(match: re.Match[str]) -> str:
        lines = match[2].splitlines()
        replay = _console(lines, folder) if match[1] == "console" else _python(match[2], folder, names)
        return f"```{match[1]}\n" + "".join(f"{line}\n" for line in replay) + "```\n"

    return _FENCE.sub(replace, text)


def difference(shown: str, printed: str) -> str:
    """Give what a document shows and what is really printed, as a diff."""
    return "\n".join(difflib.unified_diff(shown.splitlines(), printed.splitlines(), "shown", "printed", lineterm="", n=1))


def environment(home: Path) -> dict[str, str]:
    """Give what a new user's shell would have: no settings, the installed command on the path, a terminal of a known width."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), "/usr/local/bin", "/usr/bin", "/bin"])
    return {
        "PATH": path,
        "HOME": str(home),
        "TERM": "dumb",
        "COLUMNS": COLUMNS,
        "LINES": "50",
        "LANG": "C.UTF-8",
        "TZ": "Asia/Tokyo",
    }


def _commands(lines: list[str]) -> Iterator[list[str]]:
    command: list[str] = []
    for line in lines:
        if line.startswith("$ "):
            if command:
                yield command
            command = [line]
        elif line.startswith("> ") and command:
            command.append(line)
    if command:
        yield command


def _console(lines: list[str], folder: Path) -> Iterator[str]:
    for command in _commands(lines):
        yield from command
        yield from on_terminal("\n".join(line[2:] for line in command), folder).splitlines()


def on_terminal(command: str, folder: Path) -> str:
    """Run a command line of the shell with its stdout on a terminal; give what it said on stderr, then what it printed."""
    master, slave = pty.openpty()
    printed = bytearray()
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL, stdout=slave, stderr=messages
        )
        os.close(slave)
        # Linux ends a terminal whose last writer has gone with an error, not with an empty read.
        with contextlib.suppress(OSError):
            while chunk := os.read(master, 65_536):
                printed += chunk
        os.close(master)
        process.wait()
        messages.seek(0)
        text = messages.read().decode() + printed.decode().replace("\r\n", "\n")
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines()).strip("\n")


def _python(text: str, folder: Path, names: dict[str, object]) -> Iterator[str]:
    with contextlib.chdir(folder):
        for example in doctest.DocTestParser().get_examples(text):
            source = example.source.splitlines()
            yield from (f"{'...' if i else '>>>'} {line}".rstrip() for i, line in enumerate(source))
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                tree = ast.Interactive(ast.parse(example.source).body)
                exec(compile(tree, "<manual>", "single"), names)
            yield from printed.getvalue().splitlines()
