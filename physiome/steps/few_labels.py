"""Step: scores of one method and fold by heads fitted on few of the labelled subjects."""

from pathlib import Path

from physiome.config.evaluation import FewLabelsSpec
from physiome.devices.memory import workers_told
from physiome.evaluation.embeddings import open_embeddings
from physiome.evaluation.few_labels import score_few_labels
from physiome.files import atomic_path


def run(settings: str, embeddings: Path, output: Path, workers: int = 1) -> None:
    """Write the rows of `score_few_labels`, with dataset, fold and method.

    Args:
        settings: a FewLabelsSpec as JSON.
        embeddings: the `.npy`; its `.json` and `.parquet` lie beside it.
        workers: heads fitted at the same time; the result does not depend on it.
    """
    spec = FewLabelsSpec.parse_text(settings, "few_labels")
    opened = open_embeddings(embeddings)
    facts = opened.facts
    with workers_told("threads.probe"):
        table = score_few_labels(opened, spec, workers)
    table = table.assign(dataset=facts.dataset, fold=facts.fold, method=facts.method)
    with atomic_path(output) as temporary:
        table.to_parquet(temporary, index=False)
