"""Fault 14: Disk full while writing.

The error says how many bytes are needed and free; older files are as they were, no temporary file
stays; training stops with its last good state and continues when there is room.
"""

import re

import numpy as np
import pandas as pd
import pytest
from crashes import (
    STEPS,
    Disk,
    at_step,
    files_below,
    same_weights,
    settings,
    small_disk,
    train,
    write_place,
)
from nights import sleep, to_shard, write_nights
from small import settings_of

from physiome.data.synthetic.nights import write_night
from physiome.errors import PhysioError
from physiome.files import canonical_json
from physiome.reporting.scores import COLUMNS
from physiome.steps import embed, scores, shard
from physiome.training import job

SAYS = re.compile(r"(more than )?(\d+) bytes are needed, (\d+) are free")


@pytest.fixture(params=["a full disk", "a limit of files"])
def disk(request, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    found = Disk(folder, limited=request.param == "a limit of files")
    if found.limited:
        yield found
        found.make_room()
    else:
        with small_disk(folder):
            yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return write_place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def whole(place, tmp_path_factory):
    return train(place, tmp_path_factory.mktemp("whole") / "a.safetensors")


def refused(disk, deed):
    """Bytes needed and free as the error states them; nothing may be left of the attempt."""
    with pytest.raises(PhysioError, match="file cannot be written") as caught:
        deed()
    disk.make_room()
    assert not list(disk.folder.rglob("*.tmp"))
    assert "make room" in str(caught.value)
    stated = SAYS.search(str(caught.value))
    assert stated is not None, str(caught.value)
    return int(stated[2]), int(stated[3])


def test_fault_14_a_shard_stays_whole_until_there_is_room_for_the_new_one(disk, tmp_path):
    nights, out = write_nights(tmp_path / "nights", 2), disk.folder
    to_shard(sleep(nights), nights, out)
    old = files_below(out)
    changed = canonical_json(sleep(nights, window={"length_s": 20.0}).shard_settings())
    disk.exhaust(left=100_000)
    needed, free = refused(
        disk, lambda: shard.run(settings=changed, raw=out / "raw.json", folder=out / "shard")
    )
    assert needed > 100_000
    assert disk.limited or needed > free
    assert files_below(out) == old


def test_fault_14_an_edf_file_is_whole_or_not_there(disk):
    """Its samples are written by numpy, whose error has no number that says why."""
    disk.exhaust(left=100_000)
    psg, hypnogram = disk.folder / "a-PSG.edf", disk.folder / "a-Hypnogram.edf"
    facts = {"record": "SC4001", "subject": "SC400", "hours": 0.5, "seed": 1}
    needed, _ = refused(disk, lambda: write_night(psg, hypnogram, **facts))
    assert needed > 0
    assert files_below(disk.folder) == {}


@pytest.mark.parametrize("step", [1, 4])
def test_fault_14_a_training_stops_with_its_last_good_state(disk, step, place, whole):
    output = disk.folder / "a.safetensors"
    states = []

    def exhaust():
        states.append(files_below(disk.folder).get("a.safetensors.resume/state.pt"))
        disk.exhaust(left=20_000)

    with at_step(step, exhaust):
        needed, _ = refused(disk, lambda: train(place, output))
    assert needed > 20_000
    assert files_below(disk.folder).get("a.safetensors.resume/state.pt") == states[0]
    resumed = []
    with at_step(STEPS - step + 1, lambda: resumed.append(True)):
        train(place, output)  # as many steps as were left
    assert resumed
    assert same_weights(output, whole)


def test_fault_14_old_weights_stay_and_nothing_is_trained_twice(
    disk, place, whole, monkeypatch, caplog
):
    output = train(place, disk.folder / "a.safetensors", settings(epochs=1))
    old = output.read_bytes()
    save = job.save_weights

    def exhausted(*arguments):
        disk.exhaust(left=10_000)
        save(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(job, "save_weights", exhausted)
        needed, _ = refused(disk, lambda: train(place, output))
    assert needed > 10_000
    assert output.read_bytes() == old
    caplog.set_level("INFO")
    train(place, output)
    assert "resumed from state.pt" in caplog.text
    assert same_weights(output, whole)


def test_fault_14_an_old_table_stays(disk, tmp_path):
    row = {name: [1] for name in COLUMNS} | {"metric": ["acc"], "subset": ["a"]}
    part, output = tmp_path / "part.csv", disk.folder / "scores.csv"
    pd.DataFrame(row)[COLUMNS].to_csv(part, index=False)
    scores.run_concat([part], output)
    old = output.read_bytes()
    rows = pd.DataFrame({k: np.repeat(v, 2000) for k, v in row.items()})
    rows.assign(fold=range(2000))[COLUMNS].to_csv(part, index=False)
    disk.exhaust(left=4096)
    needed, _ = refused(disk, lambda: scores.run_concat([part], output))
    assert needed > 0
    assert output.read_bytes() == old


def test_fault_14_embeddings_are_refused_before_any_is_computed(disk, place, whole):
    """They are written through a memory map, where a full disk would kill the process."""
    text = {**settings_of("random"), "dataset": "d", "name": "random", "base": "random"}
    arguments = canonical_json({**text, "batch": 8, "subsets": None})
    shards, output = [place / "shard0", place / "shard1"], disk.folder / "random.npy"
    disk.exhaust(left=8192)  # room for the first and the last page
    needed, _ = refused(
        disk, lambda: embed.run(arguments, shards, place / "folds.json", 1, output, None)
    )
    assert needed > 8192
    assert files_below(disk.folder) == {}
