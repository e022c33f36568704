"""Which GPUs may be leased, by UUID, on machines that are not there."""

from pathlib import Path

import pretend_gpus
import pytest
from pretend_gpus import LISTING, PARTITIONED, SLICES, TWO
from snakemake.profiles import ProfileConfigFileParser

from physiome.devices import listing
from physiome.devices.listing import machine_gpus, parse_listing, visible_devices
from physiome.errors import TrainingError

PROFILE = Path(__file__).resolve().parents[2] / "profiles/default/profile.yaml"
OTHERS = (
    "GPU 0: NVIDIA T400 (UUID: GPU-aaaa1111-0000)\nGPU 1: NVIDIA H200 (UUID: GPU-bbbb2222-0000)\n"
)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """`machine(listing, named)`: what is listed, and CUDA_VISIBLE_DEVICES."""

    def make(listing=LISTING, named=None, code=0, **environment):
        pretend_gpus.machine(monkeypatch, tmp_path, listing, code)
        if named is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return make


def test_a_listing_of_gpus_and_slices_is_read():
    first, second = parse_listing(PARTITIONED)
    assert (first.number, first.model, first.uuid) == (0, "NVIDIA A100-SXM4-40GB", TWO[0])
    assert first.parts == list(SLICES)
    assert second.parts == [TWO[1]]
    assert parse_listing("No devices were found\n") == []


CASES = {
    "all there are": (LISTING, None, list(TWO)),
    "of a partitioned GPU its slices": (PARTITIONED, None, [*SLICES, TWO[1]]),
    "a number": (LISTING, "1", [TWO[1]]),
    "the order that is named": (LISTING, "1,0", [TWO[1], TWO[0]]),
    "a UUID": (LISTING, TWO[1], [TWO[1]]),
    "the beginning of one": (LISTING, "GPU-bb", [TWO[1]]),
    "one slice": (PARTITIONED, SLICES[1], [SLICES[1]]),
    "a partitioned GPU by its number": (PARTITIONED, "0", list(SLICES)),
    "nothing": (LISTING, "", []),
    "nothing, by a number that ends the list": (LISTING, "-1,0", []),
    "nothing, as Slurm says it": (LISTING, "NoDevFiles", []),
    "one named twice": (LISTING, "0,0", [TWO[0]]),
}


def test_what_may_be_leased_is_told_by_uuid(machine, subtests):
    for name, (listed, named, found) in CASES.items():
        with subtests.test(name):
            machine(listed, named)
            assert visible_devices() == found


def test_only_what_a_slurm_allocation_names_may_be_leased(machine):
    machine(named="1", SLURM_JOB_ID="7")
    assert visible_devices() == [TWO[1]]


REFUSED = {
    "a number that is not there": (LISTING, "7", "names no GPUs by '7'"),
    "a beginning of two": (LISTING, "GPU-", "names 2 GPUs by 'GPU-'"),
    "a number where two orders are possible": (OTHERS, "0", "may mean one GPU or another"),
    "a number where none is listed": ("No devices were found\n", "0", "none is there"),
}


def test_a_name_that_tells_no_gpu_is_refused(machine, subtests):
    for name, (listed, named, what) in REFUSED.items():
        with subtests.test(name):
            machine(listed, named)
            with pytest.raises(TrainingError, match=what):
                visible_devices()


def test_numbers_of_gpus_of_two_models_need_the_order_of_the_bus(machine):
    machine(OTHERS, "1", CUDA_DEVICE_ORDER="PCI_BUS_ID")
    assert visible_devices() == [TWO[1]]
    machine(OTHERS, "1,0")  # all there are: the order does not matter
    assert visible_devices() == [TWO[1], TWO[0]]


def test_devices_that_cannot_be_listed_are_an_error_and_none_at_all_is_not(machine, monkeypatch):
    machine("NVIDIA-SMI has failed\n", code=9)
    monkeypatch.setattr(listing.glob, "glob", lambda _: [])
    assert machine_gpus() == []
    monkeypatch.setattr(listing.glob, "glob", lambda _: ["/dev/nvidia3"])
    with pytest.raises(TrainingError, match=r"nvidia3.*NVIDIA-SMI has failed"):
        machine_gpus()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TrainingError, match="not on the PATH"):
        visible_devices()


def test_without_a_listing_uuids_are_taken_as_they_are(machine, monkeypatch):
    machine(named=",".join(TWO))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(listing.glob, "glob", lambda _: [])
    assert visible_devices() == list(TWO)


@pytest.mark.parametrize("named", ["0,1", "1", " 0, 1", "0,0", "0,-1,1", "NoDevFiles", "-1", ""])
def test_the_default_profile_counts_what_may_be_leased(named, machine):
    machine(LISTING, named)
    with open(PROFILE, encoding="utf-8") as file:
        assert ProfileConfigFileParser().parse(file)["resources"] == [
            f"gpu={len(visible_devices())}"
        ]
