"""Which recordings the models of a run have learned from, told by the SHA-256 of their files."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from physiome.data.folds.roles import read_fold
from physiome.data.report import USED
from physiome.data.store.shards import MANIFEST
from physiome.evaluation.heads_file import load_facts
from physiome.files import read_json
from physiome.predict.members import Pair

Learned = Sequence[frozenset[str]]
ONE = "warning: {} learned from this recording: how well it is scored is no test"
SEVERAL = "warning: {} of these {} were learned from (learned_from in {}): their scores are no test"


def learned_from(run: Path, pairs: Sequence[Pair]) -> Learned:
    """Of each recording that a model or its heads learned from, the sums of its files.

    Empty where the run has no folds or no shards any more: then nothing is known.
    """
    subjects: set[str] = set()
    manifests: set[Path] = set()
    for pair in pairs:
        facts = load_facts(pair.heads)
        dataset, fold = facts["dataset"], facts["fold"]
        folds = run / "folds" / f"{dataset}.json"
        if folds.is_file():
            roles = read_fold(folds, fold)
            subjects |= {*roles["train"], *(roles["pretrain"] if pair.weights else ())}
            manifests |= {*(run / "shards" / dataset).glob(f"batch*/{MANIFEST}")}
    told = [read_json(path, "records")["records"] for path in sorted(manifests)]
    records = [record for some in told for record in some]
    return [
        frozenset(record["files"].values())
        for record in records
        if record["status"] == USED and record["subject"] in subjects
    ]


def is_learned(files: Collection[str], learned: Learned) -> bool | None:
    """Whether files of these sums are those of a recording learned from; None: not known."""
    if not learned:
        return None
    return any(known.issuperset(files) for known in learned)


def told_of_several(rows: Iterable[dict], where: Path) -> list[str]:
    """A line on how many recordings that were scored were learned from, if any was."""
    answers = [row.get("learned_from") for row in rows if not row["error"]]
    known = sum(answer is True for answer in answers)
    return [SEVERAL.format(known, len(answers), where)] if known else []
