"""The verb `export`: trained models of a run as a bundle to hand on."""

import hashlib
import os
import platform
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from physiome import __version__
from physiome.config.modality import Modality
from physiome.errors import PhysioError
from physiome.files import HOST, atomic_path, file_digest, readable_json, write_errors
from physiome.predict.bundle.card import Told, card
from physiome.predict.bundle.contents import (
    CARD,
    NAME,
    Channel,
    Contents,
    File,
    FoldFiles,
    Wanted,
)
from physiome.predict.bundle.opened import Bundle, open_bundle
from physiome.predict.bundle.origin import FoldOrigin, Titles, fold_origin, titles
from physiome.predict.bundle.tested import control_rows, fold_folders, score_rows
from physiome.predict.locate import Folds, locate
from physiome.predict.members import Pair, joint, open_pairs
from physiome.predict.trained import Trained, check_weights

EPOCH = (1980, 1, 1, 0, 0, 0)  # in a zip: the same model gives the same bytes


def run(
    results: Path,
    output: Path,
    dataset: str | None = None,
    method: str | None = None,
    folds: Folds = None,
    licence: str = "unknown",
) -> list[str]:
    """Write the bundle, a folder or, if `output` ends in .zip, one file; lines for the terminal.

    Args:
        results: folder of a finished run.
        folds: by default the first.
        licence: of the weights, as the card's front matter names it.

    Raises:
        PhysioError: no such model, files of the run that are missing or do not belong together, or
            something is at `output` already.
    """
    if output.exists():
        raise PhysioError("is there already", where=output, do="remove it, or name another")
    pairs = locate(results, dataset, method, folds)
    trained = open_pairs(pairs)
    for pair, one in zip(pairs, trained, strict=True):
        check_weights(one, *pair)
    origins = [fold_origin(results, *both) for both in zip(pairs, trained, strict=True)]
    named = titles(results, trained[0])
    files = {
        path: f"fold{origin.fold}/{path.name}"
        for origin, pair in zip(origins, pairs, strict=True)
        for path in pair
        if path is not None
    }
    contents = _contents(results, pairs, trained[0], origins, named, files)
    text = card(Told(contents, named, joint(trained), origins, licence))
    if output.suffix == ".zip":
        with atomic_path(output) as temporary:
            _fill_zip(temporary, contents, text, files)
    else:
        _fill_folder(output, contents, text, files)
    with open_bundle(output) as bundle:
        return _words(bundle, output)


def _contents(
    results: Path,
    pairs: Sequence[Pair],
    trained: Trained,
    origins: Sequence[FoldOrigin],
    named: Titles,
    files: dict[Path, str],
) -> Contents:
    """All but the sum of the card."""
    import torch

    settings = trained.settings
    folders = fold_folders(results, settings.dataset, [origin.fold for origin in origins])
    trainings = {str(o.fold): o.training for o in origins if o.training}
    software = {"physiome": __version__, "python": platform.python_version()}
    software |= {"torch": torch.__version__}
    software |= {f"torch of fold {n}'s training": t["torch"] for n, t in trainings.items()}
    rate_hz = settings.window.rate_hz
    return Contents(
        method=settings.name,
        title=named.method,
        dataset=settings.dataset,
        dataset_title=named.dataset,
        classes=tuple(settings.classes),
        modalities={m: _wanted(trained.shards.modalities[m], rate_hz) for m in settings.modalities},
        window=settings.window.plain(),
        folds={
            str(origin.fold): FoldFiles(
                heads=files[pair.heads], weights=files[pair.weights] if pair.weights else None
            )
            for origin, pair in zip(origins, pairs, strict=True)
        },
        trained_on={str(o.fold): o.roles for o in origins},
        tested=tuple(score_rows(folders, settings.name)),
        controls=tuple(control_rows(folders, settings.name)),
        software=software,
        code={n: t["code"] for n, t in trainings.items()},
        files={
            name: File(sha256=file_digest(path), bytes=path.stat().st_size)
            for path, name in files.items()
        },
    )


def _wanted(modality: Modality, rate_hz: float) -> Wanted:
    channels = [Channel(name=x.channel, aliases=x.aliases, minus=x.minus) for x in modality.leads]
    return Wanted(
        channels=tuple(channels),
        unit=modality.unit,
        rate_hz=rate_hz,
        reference=modality.reference,
        leads_needed=modality.min_leads,
    )


def _texts(contents: Contents, text: str) -> dict[str, bytes]:
    """The two files that are written anew: the card, and the contents with its sum."""
    written = text.encode()
    stated = File(sha256=hashlib.sha256(written).hexdigest(), bytes=len(written))
    whole = contents.model_copy(update={"files": contents.files | {CARD: stated}}).sealed()
    return {CARD: written, NAME: readable_json(whole.plain()).encode()}


def _fill_zip(path: Path, contents: Contents, text: str, files: dict[Path, str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, written in _texts(contents, text).items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), written)
        for source, name in files.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.file_size = source.stat().st_size
            with open(source, "rb") as plain, archive.open(info, "w") as packed:
                shutil.copyfileobj(plain, packed)


def _fill_folder(output: Path, contents: Contents, text: str, files: dict[Path, str]) -> None:
    """Fill a temporary folder beside `output`, and move it there once it is whole."""
    temporary = output.with_name(f".{output.name}.{HOST}.{os.getpid()}.tmp")
    try:
        with write_errors(output, temporary=temporary):
            temporary.mkdir(parents=True)
            for source, name in files.items():
                (temporary / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(source, temporary / name)
            for name, written in _texts(contents, text).items():
                (temporary / name).write_bytes(written)
            temporary.rename(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _words(bundle: Bundle, output: Path) -> list[str]:
    contents = bundle.contents
    size = sum(file.bytes for file in contents.files.values()) / 1e6
    folds = ", ".join(contents.folds)
    return [
        f"{contents.title} ({contents.dataset}, folds {folds}): {len(contents.files) + 1} files, "
        f"{size:.1f} MB",
        f"sha256 of {NAME}: {bundle.sha256}",
        f"before it is handed on: read {CARD}, and what the data's licence says of models",
        str(output),
    ]
