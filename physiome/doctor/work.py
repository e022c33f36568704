"""Trainings that are still to be done, and their hours at speeds that were measured here."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean

from physiome.config.resolve import resolve_pretrain
from physiome.config.training import TrainSpec
from physiome.config.tree import Config
from physiome.doctor.amounts import shown, windows
from physiome.doctor.line import Line
from physiome.errors import PhysioError
from physiome.files import read_json

Model = tuple[str, int, str]  # data set, fold, method or `encoders/<encoder>/<modality>`


def hours(config: Config) -> Iterator[Line]:
    """Hours of training on one device that are left.

    Only at the speeds of finished trainings of the same model in this results folder: where there
    is none, the line says so instead of a number.
    """
    for dataset in config.used:
        count = windows(config, dataset)
        todo = {
            model: passes
            for model, passes in trainings(
                config, dataset, shown(config, dataset), count.value
            ).items()
            if not _weights(config, model).exists()
        }  # fmt: skip
        speeds = measured(config, dataset)
        known = {model for model in todo if model[2] in speeds and count.value is not None}
        seconds = sum(
            todo[m] * (count.value or 0.0) / speeds[m[2]] for m in known
        )  # fmt: skip
        text = f"{dataset}: {len(todo)} trainings left"
        if known:
            text += f"; {len(known)} of them {seconds / 3600:.1f} hours at measured speeds, "
            text += f"one at a time (windows {count.basis})"
        unknown = Counter(model[2].split("/")[0] for model in todo if model not in known)
        if unknown:
            text += f"; {sum(unknown.values())} of unknown speed"
            yield Line("warn", "hours", text, "make estimate gives hours at an assumed speed")
        else:
            yield Line("ok", "hours", text)


def trainings(
    config: Config, dataset: str, rows: Iterable[tuple[int, str]], count: float | None = None
) -> dict[Model, float]:
    """Model -> passes over all windows of the data set, of every training behind table rows.

    Args:
        rows: fold and method, each.
        count: windows of the data set, on which `least_steps` depend; None: these are left out.
    """
    folds, found = config.section("folds", dataset), {}
    rest = 1 - 1 / folds.count
    unlabelled = rest * (1 - folds.train_share)
    labelled = rest * folds.train_share
    for fold, method in rows:
        step = config.resolve(method, dataset, fold)
        if not step.entry.trains:
            continue
        if step.entry.on_encoders:
            assert step.encoder is not None
            spec = resolve_pretrain(config, step.encoder, dataset, fold)
            for m in config.datasets[dataset].modalities:
                model = (dataset, fold, f"encoders/{step.encoder}/{m}")
                found[model] = _passes(spec, unlabelled, count)
        while True:
            share = labelled if step.entry.labels else unlabelled
            found[dataset, fold, step.name] = _passes(step.train, share, count)
            if step.entry.after is None:
                break
            step = config.resolve(step.entry.after, dataset, fold)
    return found


def _passes(spec: TrainSpec, share: float, count: float | None) -> float:
    """Passes over the data set of a training on a share of it."""
    least = spec.least_steps * spec.batch / count if count and spec.epochs else 0.0
    return max(spec.epochs * share, least)


def measured(config: Config, dataset: str) -> dict[str, float]:
    """Model -> segments per second, the mean over folds, from manifests of finished trainings."""
    speeds: dict[str, list[float]] = {}
    root = Path(config.results, "models", dataset)
    for path in root.rglob("*.json"):
        try:
            speed = read_json(path)["training"]["segments_per_s"]
        except (PhysioError, KeyError, TypeError):
            continue  # no manifest of a model: it measures nothing
        if speed > 0:
            _, *name = path.relative_to(root).with_suffix("").parts
            speeds.setdefault("/".join(name), []).append(speed)
    return {name: mean(values) for name, values in speeds.items()}


def _weights(config: Config, model: Model) -> Path:
    dataset, fold, name = model
    return Path(config.results, "models", dataset, f"fold{fold}", f"{name}.safetensors")
