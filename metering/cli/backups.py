"""`metering backup` and `metering restore`: a copy of the store that is whole, and the way back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.cli.common import Common, Format, message, meter, progress, with_common_options

if TYPE_CHECKING:
    from metering.books.backups import Backup


@with_common_options
def backup(
    common: Common,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the backup goes; FILE.sha256 goes beside it.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Let it take the place of a file that is there already.")] = False,
) -> None:
    """Copy the store into one file, while nobody can write it.

    The copy is on disk when this ends, readable by its owner only, and `sha256sum -c FILE.sha256` checks it anywhere. Whoever
    wants to write meanwhile waits. A backup holds facts and books; the spool of the collector is not in it.
    """
    with meter(common) as opened, progress(common, "Backing up") as show:
        made = opened.backup(file, overwrite=overwrite, progress=show)
    _tell(common, made, f"backed up to {file}")


@with_common_options
def restore(
    common: Common,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup that `metering backup` made.")],
    force: Annotated[bool, typer.Option("--force", help="Restore it though its facts or its hash chain do not hold.")] = False,
) -> None:
    """Put a backup that is whole in the store's place.

    Its SHA-256, every fact's seal and the hash chain are checked first. The store that was there is kept beside it under another
    name. Ingest what came since the backup again: what it holds already adds nothing.
    """
    with meter(common) as opened, progress(common, "Restoring") as show:
        made = opened.restore(file, force=force, progress=show)
    if made.kept_aside:
        message(common, f"what was there is kept as {made.kept_aside}")
    _tell(common, made, f"restored from {file}")


def _tell(common: Common, made: "Backup", what: str) -> None:
    from metering.cli.documents import print_json

    for note in made.notes:
        message(common, f"note: {note}")
    if common.format is Format.JSON:
        print_json({
            "file": str(made.file), "bytes": made.size_bytes, "sha256": made.sha256, "last_ingest": made.last_ingest,
            "last_closing": made.last_closing, "kept_aside": None if made.kept_aside is None else str(made.kept_aside),
            "notes": made.notes,
        })  # fmt: skip
    else:
        typer.echo(
            f"{what}: {made.size_bytes:,} bytes, up to ingest {made.last_ingest} and closing {made.last_closing}, "
            f"SHA-256 {made.sha256}"
        )
