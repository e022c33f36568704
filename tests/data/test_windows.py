"""Shards larger than memory: what was read does not stay resident."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from physiome.data.store.shards import window_columns, write_shard

SHARDS, WINDOWS, SAMPLES = 8, 1000, 3000  # 12 MB each
READ_ALL = """
import json, resource, sys
import numpy as np
from physiome.data.store.windows import WindowStore

def resident_mb():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * resource.getpagesize() / 1e6

store = WindowStore(sys.argv[1:], ["x"])
order = np.random.default_rng(0).permutation(len(store.table))
total, before, after = 0.0, resident_mb(), []
for batch in np.split(order, 100):
    total += float(store.read(batch, ["x"])["x"].sum(dtype=float))
    after.append(resident_mb())
print(json.dumps([total, before, max(after)]))
"""


@pytest.mark.slow
def test_reading_every_window_leaves_resident_memory_flat(tmp_path):
    folders, total = [tmp_path / f"shard{i}" for i in range(SHARDS)], 0.0
    for i, folder in enumerate(folders):
        x = np.random.default_rng(i).standard_normal((WINDOWS, SAMPLES), dtype=np.float32)
        total += float(x.sum(dtype=float))
        table = pd.DataFrame({name: [0] * WINDOWS for name in window_columns({"x": (SAMPLES,)})})
        with write_shard(folder, {"x": (SAMPLES,)}, {"settings_digest": "same"}) as writer:
            writer.add({"x": x}, table.assign(record=folder.name, subject="s", has_x=True))
    command = [sys.executable, "-c", READ_ALL, *map(str, folders)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    read, before, most = json.loads(printed)
    assert abs(read - total) < 1e-6 * SHARDS * WINDOWS * SAMPLES  # all of the 96 MB were read
    assert most - before < 20
