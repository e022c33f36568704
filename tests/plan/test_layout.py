"""Lists of shards in commands: as they are, or short enough for a shell, with the same meaning."""

import shlex
import subprocess

import pytest

from physiome.plan.layout import LONGEST, Layout

ODD = ["results", "/long/" + "x" * 90, "my results/l'été/$HOME", "-x", "0/batch0"]


@pytest.mark.parametrize("results", ODD)
@pytest.mark.parametrize("batches", [1, 8, 1000])
def test_bash_reads_every_shard_of_a_data_set(results, batches):
    at = Layout(results)
    words = at.shards("d", batches)
    command = ["bash", "-c", f"printf -- '%s\\n' {words}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [at.shard("d", batch) for batch in range(batches)]
    assert len(words.encode()) <= LONGEST


def test_a_list_of_usual_length_is_spelled_out():
    """Params hold it: said otherwise, it would rerun every training."""
    at = Layout("results")
    paths = [at.shard("vitaldb", batch) for batch in range(50)]
    assert shlex.split(at.shards("vitaldb", 50)) == paths
