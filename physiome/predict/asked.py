"""What `physiome predict` was asked for: which model, one recording or several, written where."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from physiome.errors import PhysioError
from physiome.evaluation.heads_file import LOGISTIC, load_facts
from physiome.predict import score, several
from physiome.predict.bundle.opened import open_bundle
from physiome.predict.learned import learned_from
from physiome.predict.locate import Folds, locate, parse_folds
from physiome.predict.members import Pair
from physiome.predict.score import Models


class ModelFiles(NamedTuple):
    """Models by their run, by a bundle, or one by its two files."""

    run: Path | None = None
    dataset: str | None = None
    method: str | None = None
    fold: int | None = None
    heads: Path | None = None
    weights: Path | None = None
    bundle: str | None = None
    folds: str | None = None
    head: str = LOGISTIC

    @contextmanager
    def opened(self) -> Iterator[Models]:
        """Heads and weights, for as long as they are needed: a zip is unpacked for that long.

        Raises:
            PhysioError: not one of the three ways, or what it names is not there.
        """
        if sum(way is not None for way in (self.run, self.heads, self.bundle)) != 1:
            raise PhysioError(
                "which model?",
                do="give --run with the results folder of a run, --bundle, or --heads",
            )
        if self.weights is not None and self.heads is None:
            raise PhysioError("--weights goes with --heads", do="others know where weights are")
        if self.run is None and (self.dataset, self.method) != (None, None):
            raise PhysioError("--dataset and --method go with --run")
        folds = chosen_folds(self.fold, self.folds)
        if self.heads is not None:
            if folds is not None:
                raise PhysioError("--fold and --folds go with --run or --bundle, not with --heads")
            yield Models((Pair(self.heads, self.weights),), head=self.head)
        elif self.run is not None:
            pairs = tuple(locate(self.run, self.dataset, self.method, folds))
            yield Models(pairs, learned=learned_from(self.run, pairs), head=self.head)
        else:
            with open_bundle(str(self.bundle)) as bundle:
                yield Models(tuple(bundle.pairs(folds)), bundle, head=self.head)


def chosen_folds(fold: int | None, folds: str | None) -> Folds:
    """What --fold or --folds asked for; None: neither did.

    Raises:
        PhysioError: both did.
    """
    if fold is not None and folds is not None:
        raise PhysioError("--fold and --folds exclude each other", do="give one of them")
    if folds is not None:
        return parse_folds(folds)
    return None if fold is None else [fold]


def run(
    files: Sequence[Path],
    model: ModelFiles,
    output: Path | None,
    folder: Path | None,
    channels: Sequence[str],
    modalities: str | None,
    device: str,
    rescale: str | None = None,
) -> None:
    """Score into one table (`output`) or into a folder of files for each recording.

    Raises:
        PhysioError: see `score.run` and `several.run`.
    """
    if (output is None) == (folder is None):
        raise PhysioError(
            "written where?", do="give --output FILE.csv for one recording, or --output-dir FOLDER"
        )
    with model.opened() as models:
        if model.folds is not None and parse_folds(model.folds) == "all" and len(models.pairs) == 1:
            print(f"note: only fold {load_facts(models.pairs[0].heads)['fold']} is there")
        if folder is not None:
            several.run(files, folder, models, channels, modalities, device, rescale)
        elif output is not None:
            if len(files) > 1 or files[0].is_dir():
                raise PhysioError("--output is for one recording", do="give --output-dir FOLDER")
            score.run_models(files[0], models, output, channels, modalities, device, rescale)
