from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from physiome.files import write_json

MODALITIES = {"a": "EEG A", "b": "EOG"}
SUBSETS = ("a+b", "a", "b")


@pytest.fixture
def probe(tmp_path):
    """`probe(method, fold, ...)` writes a probe result and returns its path.

    Two records of two subjects; the share of right answers is about `skill`; the last windows of
    each record, `lacking` of them, are without modality b.
    """

    def write(
        method="m", fold=0, *, skill=0.8, classes=3, windows=40, lacking=1, event=False, **facts
    ) -> Path:
        rng = np.random.default_rng(fold)
        tables = []
        for subset in (*SUBSETS, "as_recorded"):
            for record in range(2):
                n = windows * (record + 1)
                label = rng.integers(classes, size=n)
                p = rng.random((n, classes))
                p[np.arange(n), label] += np.where(rng.random(n) < skill, 1, 0)
                p /= p.sum(axis=1, keepdims=True)
                columns = {f"p{c}": p[:, c].astype(np.float32) for c in range(classes)}
                number = np.arange(n)
                table = pd.DataFrame(
                    {"record": f"r{fold}{record}", "subject": f"s{fold}{record}", "number": number}
                ).assign(
                    onset_s=30.0 * number,
                    label=label,
                    event=event & (label == 1),
                    carried=np.where(number < n - lacking, "a+b", "a"),
                    complete=number < n - lacking,
                    subset=subset,
                    head="logistic",
                    **columns,
                )
                kept = table["complete"] | (subset in ("a", "as_recorded"))
                tables.append(table[kept])
        path = tmp_path / f"{method}-{fold}.parquet"
        pd.concat(tables, ignore_index=True).to_parquet(path, index=False)
        told = {"dataset": "toy", "fold": fold, "method": method, "modalities": list(MODALITIES)}
        told |= {"classes": [f"k{c}" for c in range(classes)], "comparable": True}
        write_json(path.with_suffix(".json"), told | facts)
        return path

    return write
