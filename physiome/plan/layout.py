"""Where everything lies below the results folder. The rules' outputs are tested to agree."""

import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from shlex import quote

LONGEST = 30_000  # bytes of a list in a command, of which a shell takes 131,072 in all


@dataclass(frozen=True)
class Row:
    """A method or variant in one fold of a data set: what is embedded and scored."""

    dataset: str
    fold: int
    method: str

    @property
    def folder(self) -> str:
        """`<dataset>/fold<n>`."""
        return f"{self.dataset}/fold{self.fold}"


@dataclass(frozen=True)
class Model:
    """One training in one fold: that of a method or variant, or of one modality's encoder."""

    dataset: str
    fold: int
    name: str  # of the method, or of the encoder
    modality: str | None = None  # of an encoder

    @property
    def below(self) -> str:
        """Below the folder of its fold, without suffix: the same in all folds."""
        return self.name if self.modality is None else f"encoders/{self.name}/{self.modality}"

    @property
    def path(self) -> str:
        """Below the folder of models, without suffix."""
        return f"{self.dataset}/fold{self.fold}/{self.below}"


class Layout:
    """Paths, as text: Snakemake compares text.

    Args:
        results: the results folder.
    """

    def __init__(self, results: str):
        self.results = results

    def records(self, dataset: str) -> str:
        """The published list of records."""
        return f"{self.results}/records/{dataset}.csv"

    def fetched(self, dataset: str, batch: int) -> str:
        """What the fetch step noted of a batch."""
        return f"{self.results}/raw/{dataset}.batch{batch}.json"

    def shard(self, dataset: str, batch: int) -> str:
        """The manifest of a shard."""
        return f"{self.results}/shards/{dataset}/batch{batch}/manifest.json"

    def shards(self, dataset: str, batches: int) -> str:
        """All of a data set's as words of a command; very many as bash counts them.

        Example:
            >>> Layout("results").shards("a", 2)
            'results/shards/a/batch0/manifest.json results/shards/a/batch1/manifest.json'
            >>> Layout("results").shards("a", 5000)
            'results/shards/a/batch{0..4999}/manifest.json'
        """
        named = " ".join(quote(self.shard(dataset, batch)) for batch in range(batches))
        if len(os.fsencode(named)) <= LONGEST:
            return named
        before, after = self.shard(dataset, 0).rsplit("0", 1)
        return f"{quote(before)}{{0..{batches - 1}}}{quote(after)}"

    def folds(self, dataset: str) -> str:
        """Who does what in which fold."""
        return f"{self.results}/folds/{dataset}.json"

    def models(self, dataset: str) -> str:
        """The folder of all trainings of a data set."""
        return f"{self.results}/models/{dataset}"

    def weights(self, model: Model) -> str:
        """Trained weights."""
        return f"{self.results}/models/{model.path}.safetensors"

    def manifest(self, model: Model) -> str:
        """How weights were trained."""
        return f"{self.results}/models/{model.path}.json"

    def metrics(self, model: Model) -> str:
        """A line of metrics a step."""
        return f"{self.results}/models/{model.path}.metrics.jsonl"

    def benchmark(self, model: Model) -> str:
        """What Snakemake measured of the training's job."""
        folder = f"{self.results}/benchmarks/{'train' if model.modality is None else 'pretrain'}"
        name = model.name if model.modality is None else f"{model.name}.{model.modality}"
        return f"{folder}/{model.dataset}/fold{model.fold}/{name}.tsv"

    def embeddings(self, row: Row, suffix: str = "npy") -> str:
        """Embeddings of a fold's labelled and test windows; `json` says what they are of."""
        return f"{self.results}/embeddings/{row.folder}/{row.method}.{suffix}"

    def scores(self, row: Row, suffix: str = "parquet") -> str:
        """Class probabilities of every test window; `json` says how they came about."""
        return f"{self.results}/scores/{row.folder}/{row.method}.{suffix}"

    def lost_leads(self, row: Row) -> str:
        """Class probabilities of test windows with leads of a modality taken away."""
        return f"{self.results}/lost_leads/{row.folder}/{row.method}.parquet"

    def few_labels(self, row: Row) -> str:
        """Scores by heads fitted on few of the labelled subjects."""
        return f"{self.results}/few_labels/{row.folder}/{row.method}.parquet"

    def table(self, table: str, suffix: str = "csv") -> str:
        """A table that people read; `json` says how it was made."""
        return f"{self.results}/tables/{table}.{suffix}"

    def figures(self, dataset: str) -> str:
        """The folder of a data set's figures."""
        return f"{self.results}/figures/{dataset}"

    def what_became(self, dataset: str) -> str:
        """Every record, and why it was left out if it was."""
        return f"{self.results}/folds/{dataset}.records.csv"

    def step_of(self, path: str) -> str:
        """The rule that writes a result which notes its settings, or a list of records."""
        kind, *rest = PurePosixPath(path).relative_to(self.results).parts
        return "pretrain" if "encoders" in rest else STEPS[kind]


STEPS = {"shards": "shard", "folds": "folds", "models": "train", "embeddings": "embed",
         "scores": "probe", "raw": "fetch", "tables": "table", "records": "records"}  # fmt: skip
