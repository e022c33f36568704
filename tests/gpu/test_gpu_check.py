"""The check for a GPU, as far as it runs without one."""

import json

import pytest

from tests.gpu.__main__ import main

pytestmark = pytest.mark.slow


def test_without_a_gpu_it_ends_with_2_and_says_so(capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main([]) == 2
    assert "no GPU" in capsys.readouterr().out


def test_on_a_cpu_parity_resuming_and_speed_are_found(tmp_path, capsys):
    output = tmp_path / "gpu.json"
    wanted = ["--only", "parity", "--only", "resume", "--only", "speed"]
    asked = ["--device", "cpu", *wanted, "--systems", "neuronet", "--output", str(output)]
    assert main([*asked, "--limit-s", "600000"]) == 0
    found = json.loads(output.read_text())
    parity = found["parity"]["neuronet"]
    assert parity["fp32"] == 0.0  # the same device: the same numbers
    assert 0.0 < parity["bf16"] < 0.05
    assert found["resume"]["neuronet"] == {
        "stopped": True, "run_to_run": 0.0, "resumed": 0.0, "ok": True
    }  # fmt: skip
    assert found["speed"]["neuronet"]["windows_per_s"] > 0
    assert "0 failed" in capsys.readouterr().out


def test_what_compiling_gains_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("physiome.nn.compiled.BACKEND", "aot_eager")
    output = tmp_path / "gpu.json"
    asked = ["--device", "cpu", "--only", "compile", "--systems", "crossl"]
    assert main([*asked, "--output", str(output), "--limit-s", "600000"]) == 0
    found = json.loads(output.read_text())["compile"]["crossl"]
    assert found["blocks"] == 3  # an encoder a modality
    assert found["apart"] == 0.0
    assert found["gain"] == found["plain_ms"] / found["compiled_ms"]


def test_a_check_that_fails_is_told_and_ends_with_1(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tests.gpu.parity.compare", lambda *_: {"ok": False})
    asked = ["--device", "cpu", "--only", "parity", "--systems", "neuronet"]
    assert main([*asked, "--output", str(tmp_path / "gpu.json")]) == 1
    assert "1 failed" in capsys.readouterr().out


def test_jobs_side_by_side_are_timed_from_the_first_to_the_last(tmp_path):
    output = tmp_path / "gpu.json"
    asked = ["--device", "cpu", "--only", "jobs", "--systems", "contrawr"]
    assert main([*asked, "--output", str(output), "--limit-s", "600000"]) == 0
    found = json.loads(output.read_text())["jobs"]
    assert set(found) == {"contrawr x 1", "contrawr x 2"}
    assert all(x["windows_per_s"] > 0 and x["gb_each"] == 0.0 for x in found.values())
