"""What `physiome predict` was asked for: which model, one recording or several, written where."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from physiome.errors import PhysioError
from physiome.predict import score, several
from physiome.predict.locate import locate


class ModelFiles(NamedTuple):
    """A model by its run, or by its two files."""

    run: Path | None = None
    dataset: str | None = None
    method: str | None = None
    fold: int | None = None
    heads: Path | None = None
    weights: Path | None = None

    def files(self) -> tuple[Path, Path | None]:
        """(heads, weights).

        Raises:
            PhysioError: if neither or both ways were used.
        """
        if (self.run is None) == (self.heads is None):
            raise PhysioError(
                "which model?", do="give --run with the results folder of a run, or --heads"
            )
        if self.heads is not None:
            if any(part is not None for part in (self.dataset, self.method, self.fold)):
                raise PhysioError("--dataset, --method and --fold go with --run, not with --heads")
            return self.heads, self.weights
        assert self.run is not None
        if self.weights is not None:
            raise PhysioError("--weights goes with --heads", do="a run knows where its weights are")
        return locate(self.run, self.dataset, self.method, self.fold)


def run(
    files: Sequence[Path],
    model: ModelFiles,
    output: Path | None,
    folder: Path | None,
    channels: Sequence[str],
    modalities: str | None,
    device: str,
) -> None:
    """Score into one table (`output`) or into a folder of files for each recording.

    Raises:
        PhysioError: see `score.run` and `several.run`.
    """
    if (output is None) == (folder is None):
        raise PhysioError(
            "written where?", do="give --output FILE.csv for one recording, or --output-dir FOLDER"
        )
    heads, weights = model.files()
    if folder is not None:
        several.run(files, folder, heads, weights, channels, modalities, device)
    elif output is not None:
        if len(files) > 1 or files[0].is_dir():
            raise PhysioError("--output is for one recording", do="give --output-dir FOLDER")
        score.run(files[0], heads, output, weights, channels, modalities, device)
