"""GPU-hours and jobs per table, from measured work: `python -m tests.bench.estimate`.

The floating-point work of each training step is counted by `make bench`; hours assume a sustained
rate, which is an assumption and not a measurement.
"""

import argparse
import json

from physiome.config.tree import Config
from physiome.doctor.work import trainings
from physiome.plan.graph import Graph
from physiome.plan.layout import Model, Row
from tests.bench import common, systems

WINDOWS = {"sleep_edf": 195_000, "vitaldb": 480_000}  # all subjects, about; see docs/experiment.md


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
    every: dict[Model, float] = {}
    for table in config.tables_of:
        jobs = operations(config, table, found)
        every |= jobs
        print(f"| {table} | {len(jobs)} | {sum(jobs.values()) / rate / 3600:.1f} |")
    print(f"| everything | {len(every)} | {sum(every.values()) / rate / 3600:.1f} |")


def operations(config: Config, table: str, found: dict) -> dict[Model, float]:
    """Training -> floating-point operations, of all that a table needs."""
    dataset, graph = config.tables_of[table], Graph(config)
    found = {name: one["flop_per_segment"][dataset] for name, one in found.items()}
    return {
        model: passes * WINDOWS[dataset] * found[measured_as(graph, model, found)]
        for model, passes in trainings(graph, graph.rows(table)).items()
    }


def measured_as(graph: Graph, model: Model, found: dict) -> str:
    """Whose figures a training has: variants not measured cost what their method costs."""
    if model.modality is not None:
        return model.name
    base = graph.resolved(Row(model.dataset, model.fold, model.name)).base
    return model.name if model.name in found else "physiome" if base == "random" else base


if __name__ == "__main__":
    main()
