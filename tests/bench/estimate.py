"""GPU-hours and jobs per table, from measured work: `python -m tests.bench.estimate`.

The floating-point work of each training step is counted by `make bench`; hours assume a sustained
rate, which is an assumption and not a measurement.
"""

import argparse
import json

from physiome.config.resolve import Resolved
from physiome.config.tree import Config
from tests.bench import common, systems

WINDOWS = {"sleep_edf": 195_000, "vitaldb": 480_000}  # all subjects, about; see README
LENGTH = {"sleep_edf": 1.0, "vitaldb": 2.0}  # samples of a window, against those measured


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.estimate", description=__doc__)
    parser.add_argument(
        "--tflops", type=float, default=100.0, help="sustained rate of the GPU in bf16 training"
    )
    options = parser.parse_args()
    config, found = common.paper_config(), json.loads(systems.FIGURES.read_text())
    rate = options.tflops * 1e12
    print(f"| target | trainings | GPU-hours at {options.tflops:g} TFLOP/s |\n|---|--:|--:|")
    every: dict[tuple, float] = {}
    for table in config.tables_of:
        jobs = trainings(config, table, found)
        every |= jobs
        print(f"| {table} | {len(jobs)} | {sum(jobs.values()) / rate / 3600:.1f} |")
    print(f"| everything | {len(every)} | {sum(every.values()) / rate / 3600:.1f} |")


def trainings(config: Config, table: str, found: dict) -> dict[tuple, float]:
    """Training job -> floating-point operations, of all that a table needs."""
    dataset, jobs = config.tables_of[table], {}
    for fold in config.folds_of(table):
        windows = WINDOWS[dataset] * LENGTH[dataset]
        unlabelled, labelled = shares(config, dataset)
        for method in config.rows_of(table):
            resolved = config.resolve(method, dataset, fold)
            if not resolved.entry.trains:
                continue
            chain = [resolved]
            while (after := chain[-1].entry.after) is not None:
                chain.append(config.resolve(after, dataset, fold))
            for step in chain:
                work = found[measured_as(step, found)]["flop_per_segment"]
                share = labelled if step.entry.labels else unlabelled
                jobs[dataset, fold, step.name] = work * windows * share * step.train.epochs
            if resolved.entry.on_encoders:
                epochs = config.section("pretrain", dataset, fold).epochs
                for m in config.datasets[dataset].modalities:
                    work = found[resolved.encoder]["flop_per_segment"]
                    jobs[dataset, fold, resolved.encoder, m] = work * windows * unlabelled * epochs
    return jobs


def measured_as(step: Resolved, found: dict) -> str:
    """Variants that were not measured cost what their method costs."""
    return step.name if step.name in found else "physiome" if step.base == "random" else step.base


def shares(config: Config, dataset: str) -> tuple[float, float]:
    """Shares of the windows that a fold pretrains on, and that it trains on with labels."""
    folds = config.section("folds", dataset)
    rest = 1 - 1 / folds.count
    return rest * (1 - folds.train_share), rest * folds.train_share * (1 - folds.valid_share)


if __name__ == "__main__":
    main()
