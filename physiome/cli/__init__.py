"""The command line: one verb per workflow step, and verbs for a person at the terminal."""

import atexit
import gc
import logging
import os
import signal
import sys
from typing import Annotated

import typer

from physiome import __version__
from physiome.cli import reports, user, workflow
from physiome.errors import PhysioError

app = typer.Typer(
    help="PhysioME: from raw recordings to tables, one step at a time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(user.app)
app.add_typer(workflow.app)
app.add_typer(reports.app)


@app.callback(invoke_without_command=True)
def _start(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every glyph of a PDF


def _stop(number: int, _: object) -> None:
    # Not an error of ours: a step could take it for that of a record, and go on.
    print(
        f"physiome: error: stopped by {signal.Signals(number).name} - nothing is half-written"
        " - run the same command again",
        file=sys.stderr,
    )
    raise SystemExit(128 + number)


def main() -> None:
    """Run the command line; our own errors end as one line and exit code 2.

    SIGTERM ends it with 143, Ctrl-C with 130, after what was begun is removed; training saves its
    progress first.
    """
    atexit.register(gc.freeze)  # Python would look through all of torch for garbage: a second
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # ignored in the background
        signal.signal(signal.SIGINT, _stop)
    try:
        app()
    except (PhysioError, OSError, MemoryError) as error:
        if os.environ.get("PHYSIOME_DEBUG"):
            raise
        told = _told(error)
        print(f"physiome: error: {told}", file=sys.stderr)
        sys.exit(told.exit_code)


def _told(error: PhysioError | OSError | MemoryError) -> PhysioError:
    """In the words of our own errors."""
    if isinstance(error, PhysioError):
        return error
    if isinstance(error, MemoryError):
        return PhysioError(
            "out of memory", why=str(error), do="free memory, or let fewer jobs run at once"
        )
    return PhysioError(  # a file that may not be read, a disk that fails
        "file cannot be read or written",
        where=error.filename,
        why=error.strerror or str(error),
        do="check the file, its permissions and its disk, then run again",
    )
