"""What tests of several parts share."""

import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Every test starts from the same random state, whatever ran before it in its process."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings beside the repository; the test is skipped without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real recordings: {folder} is not there")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def nights(tmp_path_factory):
    """Made-up nights and heads to predict with; see `trained_nights`."""
    from trained_nights import Nights

    return Nights(tmp_path_factory.mktemp("nights"))


@pytest.fixture(scope="session")
def tiny_run(nights, tmp_path_factory):
    """The results folder of a finished run; see `tiny_run`. Tests must not write there."""
    from tiny_run import write_run

    return write_run(nights, tmp_path_factory.mktemp("results"))
