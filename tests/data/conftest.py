from pathlib import Path

import pytest
from misbehaving import Server


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "raw" / "file.edf"
