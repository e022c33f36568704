"""Fault 29: No network.

Fetch names the missing records and the addresses it tried, and writes nothing; what is there is
verified and used without a connection.
"""

import ast
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from file_server import closed_address
from nights import sleep
from published import download, listed, publish, sleep_table

import physiome
from physiome.errors import PhysioError
from physiome.files import canonical_json, read_json
from physiome.steps import fetch, shard

NETWORK = {
    "requests",
    "urllib3",
    "socket",
    "http",
    "ftplib",
    "urllib.request",
    "asyncio",
    "httpx",
    "huggingface_hub",
}


@pytest.fixture
def nights(tmp_path):
    """Published nights and their table; the raw folder holds the first night and not the second."""
    publish(tmp_path / "published", "sleep_edf", 2, 1 / 6)
    sleep_table(tmp_path / "published", tmp_path / "r.csv")
    shutil.copytree(tmp_path / "published", tmp_path / "raw")
    for path in (tmp_path / "raw").rglob("SC4011*"):
        path.unlink()
    return tmp_path


def test_fault_29_fetch_says_what_is_missing_and_where_it_asked(nights):
    first, second = closed_address(), closed_address()
    chosen = download(nights / "raw", "sleep_edf", first, second, attempts=1)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "physiome",
            "fetch",
            "--settings",
            chosen,
            "--batch",
            "0",
            "--records",
            nights / "r.csv",
            "--batches",
            "1",
            "--output",
            nights / "0.json",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    error = done.stderr.splitlines()[-1]
    assert "files of 1 of 2 records are missing: SC4011" in error
    assert f"{first}/sleep-cassette/SC4011" in error
    assert f"{second}/sleep-cassette/SC4011" in error
    assert "check the network, then run again" in error
    assert "Traceback" not in done.stderr
    assert not (nights / "0.json").exists()
    assert not list((nights / "raw").rglob("SC4011*"))


def test_fault_29_a_host_that_cannot_be_reached_is_not_asked_five_times_per_file(
    nights, monkeypatch, caplog
):
    monkeypatch.setattr("physiome.data.download.fetch._pause_s", lambda *_: 0.0)
    shutil.rmtree(nights / "raw")
    chosen = download(nights / "raw", "sleep_edf", closed_address(), attempts=5)
    with pytest.raises(PhysioError, match="2 of 2 records are missing"):
        fetch.run(chosen, nights / "r.csv", 0, 1, nights / "0.json")
    first, second = [r.getMessage() for r in caplog.records if "missing=" in r.getMessage()]
    assert "(5 attempts" in first
    assert "(1 attempts" in second


def test_fault_29_what_was_fetched_is_used_without_a_network(nights, monkeypatch):
    shutil.copytree(nights / "published", nights / "raw", dirs_exist_ok=True)

    def no_network(*args, **kwargs):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    chosen = download(nights / "raw", "sleep_edf", "https://nowhere.invalid")
    fetch.run(chosen, nights / "r.csv", 0, 1, nights / "0.json")
    assert all(record.problem is None for record in listed(nights / "0.json").values())
    settings = canonical_json(sleep(nights / "raw").shard_settings())
    shard.run(settings=settings, raw=nights / "0.json", folder=nights / "shard")
    assert read_json(nights / "shard" / "manifest.json")["windows"] > 0


def test_fault_29_only_downloading_opens_connections():
    """Whatever follows fetch cannot need a network: nothing else can open a connection."""
    package = Path(physiome.__file__).parent
    users = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            if any(name in NETWORK or name.split(".")[0] in NETWORK for name in names):
                users.add(path.relative_to(package).as_posix())
    # Of these, `warm` knows sockets of this machine alone, and `hub` is for who names an address.
    assert users == {"data/download/transfer.py", "predict/bundle/hub.py", "warm.py"}
