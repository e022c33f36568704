"""Score recordings, files or folders of them, each into files that people and programs open."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from physiome.data.formats import open_reader
from physiome.data.formats.suffixes import LOOKED_FOR, files_in
from physiome.errors import PhysioError
from physiome.files import atomic_path
from physiome.predict.learned import told_of_several
from physiome.predict.output.annotations import edf_moment, write_annotations
from physiome.predict.output.paths import SUMMARY, outputs, require_apart
from physiome.predict.output.picture import write_picture
from physiome.predict.score import Model, Models, Scored, opened, score, words, write


def run(
    paths: Sequence[Path],
    folder: Path,
    models: Models,
    channels: Sequence[str] = (),
    modalities: str | None = None,
    device: str = "auto",
    rescale: str | None = None,
) -> None:
    """Write below `folder` for each recording <name>.csv, .json, .annotations.edf and .png.

    And `summary.csv`, a row for each. One that cannot be scored is a row with its error, and does
    not keep the others from being scored.

    Args:
        paths: recordings, or folders of them.
        folder: is made.
        models, channels, modalities, device, rescale: as for one recording.

    Raises:
        PhysioError: no recording at all, two that would be written under one name, one that would
            be written over, or, once all others are written, some that could not be scored.
    """
    named = {path for path in paths if not path.is_dir()}
    found = list(files_in(list(paths)))
    recordings = [path for path in found if path in named or _has_signals(path)]
    if len(recordings) < len(found):
        left = len(found) - len(recordings)
        print(f"{left} {'file' if left == 1 else 'files'} without signals left out")
    if not recordings:
        raise PhysioError("no recording", where=", ".join(map(str, paths)), why=LOOKED_FOR)
    _refuse_namesakes(recordings)
    require_apart(recordings, outputs(folder, recordings))
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    with opened(models, channels, modalities, device, rescale) as model:
        for number, recording in enumerate(recordings, 1):
            print(f"[{number}/{len(recordings)}]", end=" ")
            rows.append(_one(recording, folder, model))
    with atomic_path(folder / SUMMARY) as temporary:
        # as they are: beside a row without counts pandas would make floats of all others
        pd.DataFrame(rows, dtype=object).to_csv(temporary, index=False)
    print("\n".join([*told_of_several(rows, folder / SUMMARY), str(folder / SUMMARY)]))
    failed = [row for row in rows if row["error"]]
    if failed:
        raise PhysioError(
            f"{len(failed)} of {len(rows)} recordings could not be scored",
            where=folder / SUMMARY,
            why=f"{Path(failed[0]['recording']).name}: {failed[0]['error']}",
        )


def _one(recording: Path, folder: Path, model: Model) -> dict[str, Any]:
    """Score a recording and write its files; its row of the summary."""
    row: dict[str, Any] = {"recording": str(recording), "error": ""}
    try:
        scored = score(recording, model)
        start = open_reader(recording).start
    except PhysioError as error:
        print(f"{recording.name}: {error}", file=sys.stderr)
        return row | {"error": str(error)}
    print("\n".join(words(scored, recording, model.trained)))
    settings = model.trained.settings
    length_s, base = settings.window.length_s, folder / recording.stem
    said = scored.table["class"].tolist()
    title = f"{recording.name}, {model.trained.title}"
    if start is not None and edf_moment(start) is None:
        print(f"{recording.name}: begins in a year that EDF cannot say; its annotations do not")
    write_annotations(
        base.with_name(f"{base.name}.annotations.edf"), settings.classes, said, length_s, start
    )
    write_picture(
        base.with_name(f"{base.name}.png"),
        scored.table,
        settings.classes,
        settings.modalities,
        length_s,
        title,
    )
    write(scored, base.with_name(f"{base.name}.csv"))
    return row | _told(scored, settings.classes)


def _told(scored: Scored, classes: Sequence[str]) -> dict[str, Any]:
    """What the summary says of a recording that was scored."""
    counts = Counter(scored.table["class"])
    subsets: dict[str, int] = scored.facts["subsets"]
    return {
        "windows": len(scored.table),
        "scored": scored.facts["scored"],
        "subsets": "; ".join(f"{name} {n}" for name, n in subsets.items()),
        "warnings": "; ".join(scored.odd),
        "learned_from": scored.facts["learned_from"],
        **{f"windows_{name}": counts[name] for name in classes},
        **scored.facts.get("sleep", {}),
    }


def _has_signals(path: Path) -> bool:
    """Whether a file is more than annotations; one that cannot be opened will say so itself."""
    try:
        return bool(open_reader(path).channels())
    except PhysioError:
        return True


def _refuse_namesakes(recordings: Sequence[Path]) -> None:
    names = Counter(path.stem for path in recordings)
    for path in recordings:
        if f"{path.stem}.csv" == SUMMARY:
            raise PhysioError(
                "recording would be written as the summary of all",
                where=path,
                do="call it otherwise, or score it alone",
            )
        if names[path.stem] > 1:
            same = ", ".join(str(p) for p in recordings if p.stem == path.stem)
            raise PhysioError(
                f"{names[path.stem]} recordings would be written as {path.stem}.csv",
                where=same,
                do="score them into folders of their own",
            )
