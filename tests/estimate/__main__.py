"""GPU-hours of the paper's experiment, modelled operation by operation: `make estimate`.

A step of every system and a batch of every embedding are traced at the sizes of config.yaml on
tensors without values; a model of one GPU (tests/estimate/device.py) turns operations, bytes and
arithmetic into hours. Steps that `python -m tests.gpu` measured stand beside the modelled ones.
"""

import argparse
import json
import os
import time
from pathlib import Path

from physiome.config.tree import load_files
from tests.bench import common
from tests.estimate.device import Settings
from tests.estimate.jobs import jobs_of
from tests.estimate.tables import assumptions, lines, rows_of, sums, targets, write_csv
from tests.estimate.tracing import traced

OUTPUT = common.ROOT / "results/bench/estimate.csv"
PAPER_ROWS = [common.ROOT / "config.yaml", common.ROOT / "workflow/overlays/paper-rows.yaml"]
MEASURED = common.ROOT / "results/bench/gpu.json"


def main() -> None:
    """Print the tables and write them as CSV."""
    parser = argparse.ArgumentParser(prog="python -m tests.estimate", description=__doc__)
    parser.add_argument("--jobs", type=int, default=4, help="at once on a device: the second sum")
    parser.add_argument("--embed-bf16", action="store_true", help="embedding under autocast")
    parser.add_argument("--processes", type=int, default=min(8, os.cpu_count() or 1))
    parser.add_argument("--measured", type=Path, default=MEASURED, help="of python -m tests.gpu")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    config, began = common.paper_config(), time.monotonic()
    works = traced(config, jobs_of(config, config.tables_of), options.processes, options.embed_bf16)
    measured = json.loads(options.measured.read_text()) if options.measured.exists() else {}
    rows = rows_of(jobs_of(config, config.tables_of), works, Settings(), measured)
    asked = targets(config, load_files(PAPER_ROWS))
    print("\n".join([*lines(rows), "", *sums(asked, works, options.jobs), ""]))
    print("\n".join(assumptions(config, options.embed_bf16, measured)))
    print(f"traced in {time.monotonic() - began:.0f} s")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_csv(rows, options.output)


if __name__ == "__main__":
    main()
