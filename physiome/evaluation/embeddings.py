"""Opening the embeddings of one method and fold, and checking that a probe may use them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from physiome.data.store.parquet import read_parquet
from physiome.errors import DataError
from physiome.evaluation.facts import EmbeddingFacts
from physiome.files import read_noted
from physiome.subsets import Subset, named_subsets, subset_name

ROLES = ("train", "test")
SHOWN = (1, 50, 99)  # percentiles


@dataclass(frozen=True)
class Embeddings:
    """Embeddings on disk. `windows` is in order of record and number and holds no labels."""

    path: Path  # the .npy; .json and .parquet lie beside it
    facts: EmbeddingFacts
    windows: pd.DataFrame  # record, subject, number, onset_s, role, has_<m>, row (in the .npy)

    @property
    def modalities(self) -> tuple[str, ...]:
        """All modalities of the data set, in order."""
        return tuple(self.facts.modalities)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by index."""
        return tuple(self.facts.classes)

    @property
    def subsets(self) -> list[Subset]:
        """The subsets that were embedded, in the paper's order."""
        return named_subsets(list(self.facts.columns), self.modalities)

    @property
    def title(self) -> str:
        """Names data set, fold and method, for messages."""
        return f"{self.facts.dataset} fold {self.facts.fold} {self.facts.method}"

    def carrying(self, subset: Iterable[str], role: str) -> pd.DataFrame:
        """Windows of `role` that carry every modality of `subset`."""
        carried = self.windows[[f"has_{m}" for m in subset]].all(axis=1)
        return self.windows[carried & (self.windows["role"] == role)]

    def values(self, subset: Subset, windows: pd.DataFrame) -> np.ndarray:
        """Embeddings (n, D) float32 of `windows` under `subset`.

        Raises:
            DataError: if a value is not finite although the window carries the subset.
        """
        start, stop = self.facts.columns[subset_name(subset)]
        x = _rows(self.path)[windows["row"].to_numpy(), start:stop]
        bad = ~np.isfinite(x).all(axis=1)
        if bad.any():
            first = windows.iloc[int(bad.argmax())]
            raise DataError(
                f"{bad.sum()} of {len(x)} embeddings of {subset_name(subset)} are not finite",
                where=self.path,
                why=f"first: record {first['record']} window {first['number']}",
                do="look at the method's training curve; the model has probably diverged",
            )
        return x

    def weights(self, subset: Subset, times: float = 1.0) -> np.ndarray:
        """(D,) by which linear heads multiply standardised columns: 1, but for levels of signals.

        Those are few among many, and a penalty on coefficients would leave them unused: they
        weigh as much together as all other columns, or so many times as much.
        """
        start, stop = self.facts.columns[subset_name(subset)]
        levels = self.facts.level_columns
        weights = np.ones(stop - start)
        if levels:
            weights[-levels:] = times * np.sqrt((stop - start - levels) / levels)
        return weights

    def spreads(self) -> dict[str, list[float]]:
        """Modality -> sd of its train windows, in its unit: percentiles 1, 50 and 99."""
        columns = [f"var_{m}" for m in self.modalities]
        path = self.path.with_suffix(".parquet")
        table = read_parquet(path, columns=columns, filters=[("role", "==", "train")])
        found = {m: np.sqrt(table[f"var_{m}"].dropna()) for m in self.modalities}
        return {m: np.percentile(sd, SHOWN).tolist() for m, sd in found.items() if len(sd)}

    def labels(self, roles: Iterable[str]) -> pd.DataFrame:
        """label and event of the windows with these roles, indexed by (record, number).

        Nothing else reads labels, so what is not asked for cannot leak into a choice.

        Raises:
            DataError: if a label is not the index of a class.
        """
        path = self.path.with_suffix(".parquet")
        table = read_parquet(
            path,
            columns=["record", "number", "label", "event"],
            filters=[("role", "in", list(roles))],
        )
        outside = table[(table["label"] < 0) | (table["label"] >= len(self.classes))]
        if len(outside):
            first = outside.iloc[0]
            raise DataError(
                f"label {first['label']} of record {first['record']} is not a class",
                where=path,
                why=f"classes are 0 to {len(self.classes) - 1}",
                do="embed only windows with a label",
            )
        return table.set_index(["record", "number"])


def read_targets(embeddings: Embeddings, roles: Iterable[str]) -> pd.Series | None:
    """Dense targets of the windows with these roles, by (record, number); None: it has none."""
    path = embeddings.path.with_suffix(".parquet")
    filters = [("role", "in", list(roles))]
    table = read_parquet(path, filters=filters)
    return table.set_index(["record", "number"])["target"] if "target" in table else None


def open_embeddings(path: str | Path) -> Embeddings:
    """Open `<name>.npy` with its `.json` and `.parquet`.

    Raises:
        DataError: files that do not belong together, a window listed twice, an unknown role, or a
            subject in more than one role.
    """
    path = Path(path)
    facts = EmbeddingFacts.parse(read_noted(path.with_suffix(".json")), path.with_suffix(".json"))
    columns = ["record", "subject", "number", "onset_s", "role"]
    columns += [f"has_{m}" for m in facts.modalities]
    table = read_parquet(path.with_suffix(".parquet"), columns=columns)
    shape = _rows(path).shape
    width = max((stop for _, stop in facts.columns.values()), default=0)
    if shape != (len(table), width):
        raise DataError(
            "embeddings do not fit their table",
            where=path,
            why=f"shape {shape} for {len(table)} windows and {width} columns",
            do="delete it and embed again",
        )
    _check_windows(table, path)
    table = table.assign(row=np.arange(len(table)))
    # One fixed order of rows: results then do not depend on the order they were stored in.
    return Embeddings(path, facts, table.sort_values(["record", "number"], ignore_index=True))


def _rows(path: Path) -> np.ndarray:
    """The stored rows as a memory map; objects, which could run code, are never read."""
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(rows, np.ndarray) or rows.dtype != np.float32:
            raise ValueError("it holds something else")
        return rows
    except (ValueError, EOFError, OverflowError) as error:
        raise DataError(
            "not an array of embeddings",
            where=path,
            why=" ".join(str(error).split()),
            do="delete it and embed again",
        ) from None


def _check_windows(table: pd.DataFrame, path: Path) -> None:
    unknown = set(table["role"]) - set(ROLES)
    if unknown:
        raise DataError(f"unknown role {sorted(unknown)}", where=path, do=f"use {', '.join(ROLES)}")
    twice = table.duplicated(["record", "number"])
    if twice.any():
        first = table[twice].iloc[0]
        raise DataError(f"record {first['record']} window {first['number']} twice", where=path)
    roles = table.groupby("subject")["role"].nunique()
    if (roles > 1).any():
        subject = roles.index[roles > 1][0]
        held = sorted(table.loc[table["subject"] == subject, "role"].unique())
        raise DataError(
            f"subject {subject} is in {' and '.join(held)}",
            where=path,
            why="a person's windows must not be both fitted and tested",
            do="assign the folds again",
        )
