"""Step: a table of scores where modalities are really missing, and where they are only hidden."""

from collections import defaultdict
from pathlib import Path

import pandas as pd

from physiome.config.report import IntervalSpec
from physiome.data.store.parquet import read_parquet
from physiome.evaluation.really_missing import COLUMNS, Absence
from physiome.files import atomic_path, read_noted
from physiome.subsets import subset_name

KEYS = ["dataset", "method", "subset"]


def run(settings: str, probes: list[Path], output: Path) -> None:
    """Write `output`, a CSV; only its header where no test window lacks a modality.

    Args:
        settings: an IntervalSpec as JSON.
        probes: `.parquet` files of the probe step, the `.json` beside each, all folds and methods.
        output: KEYS, then `really_missing.COLUMNS`; the proper subsets that some test window has
            exactly, of it windows that carry these modalities alone (`real`) and windows that carry
            all (`artificial`).
    """
    spec = IntervalSpec.parse_text(settings, "really_missing")
    proper = [subset_name(subset) for subset in spec.subsets_scored[1:]]
    found: dict[tuple[str, str], Absence] = defaultdict(Absence)
    for probe in probes:
        _add(Path(probe), spec, proper, found)
    rows = [
        {"dataset": spec.dataset, "method": method, "subset": subset, **row}
        for method in spec.methods
        for subset in proper
        if (method, subset) in found and found[method, subset].sizes["real_windows"]
        for row in found[method, subset].rows()
    ]
    with atomic_path(output) as temporary:
        pd.DataFrame(rows, columns=[*KEYS, *COLUMNS]).to_csv(temporary, index=False)


def _add(
    probe: Path, spec: IntervalSpec, proper: list[str], found: dict[tuple[str, str], Absence]
) -> None:
    facts = read_noted(probe.with_suffix(".json"))
    p = [f"p{c}" for c in range(len(facts["classes"]))]
    table = read_parquet(
        probe,
        columns=["subject", "label", "carried", "complete", "subset", *p],
        filters=[("head", "==", spec.head)],
    )
    subjects = sorted(table["subject"].unique())
    for subset, part in table[table["subset"].isin(proper)].groupby("subset", sort=False):
        kinds = {
            "artificial": part[part["complete"]],
            "real": part[part["carried"] == subset],
        }
        seed = (spec.seed, facts["fold"])
        absence = found[facts["method"], str(subset)]
        absence.add(kinds, facts["classes"], subjects, spec.resamples, seed)
