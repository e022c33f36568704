"""A verb of the command line, run inside the test: fast, and with the exit code a user sees."""

import os

import pytest

from physiome.cli import main
from physiome.errors import PhysioError


def refused(capsys, monkeypatch, *arguments: object) -> str:
    """The one line with which a command is refused; its exit code must be 2."""
    monkeypatch.setattr("sys.argv", ["physiome", *map(str, arguments)])
    monkeypatch.delenv("PHYSIOME_DEBUG", raising=False)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == PhysioError.exit_code == 2
    errors = [
        line for line in capsys.readouterr().err.splitlines() if line.startswith("physiome: error")
    ]
    assert len(errors) == 1, errors
    return errors[0].removeprefix("physiome: error: ")


def files_below(folder: os.PathLike) -> set[str]:
    """Names of all files below a folder."""
    return {name for _, _, files in os.walk(folder) for name in files}
