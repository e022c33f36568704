"""A trained model from Python: load it, read a recording, embed, predict; any subset."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from physiome.data.cutting.unlabelled import cut_unlabelled, map_keys
from physiome.errors import DataError, PhysioError, nearest
from physiome.evaluation.embed import embed_subsets
from physiome.evaluation.heads_file import LOGISTIC
from physiome.predict.bundle.opened import is_bundle, open_bundle
from physiome.predict.locate import Folds, locate
from physiome.predict.members import (
    Member,
    Pair,
    joint,
    load_members,
    open_pairs,
    predict_members,
)
from physiome.predict.trained import Trained
from physiome.subsets import Subset, named_subsets, subset_name


def load(
    run: str | Path,
    dataset: str | None = None,
    method: str | None = None,
    fold: int | None = None,
    device: str = "cpu",
    folds: Folds = None,
    head: str = LOGISTIC,
) -> "LoadedModel":
    """The model of a finished run or of a bundle, checked against the heads fitted on it.

    Args:
        run: a results folder; or a bundle, a folder, a .zip or hf://owner/name[@revision].
        dataset, method, fold: which model; by default the only data set, PhysioME, the first fold.
            A bundle has one data set and one method.
        device: where torch shall compute, as torch names it: cpu, cuda, cuda:1.
        folds: instead of `fold`: "all" or numbers; `predict_proba` is then the models' mean.
        head: logistic, or centred: fitted on embeddings less the mean of their recording (see
            `probe.centred`), or context: on these beside the mean of their neighbours;
            `predict_proba` then wants the windows of a whole recording, one after the other.

    Raises:
        PhysioError: there is no such model, or its files do not belong together.
    """
    if fold is not None and folds is not None:
        raise PhysioError("fold and folds exclude each other", do="give one of them")
    chosen = [fold] if fold is not None else folds
    if not is_bundle(run):
        return _loaded(locate(Path(run), dataset, method, chosen), device, head)
    with open_bundle(run) as bundle:
        have = {"dataset": bundle.contents.dataset, "method": bundle.contents.method}
        for name, asked in (("dataset", dataset), ("method", method)):
            if asked not in (None, have[name]):
                raise PhysioError(f"no {name} {asked!r}", where=run, do=f"it has {have[name]}")
        return _loaded(bundle.pairs(chosen), device, head)


def _loaded(pairs: Sequence[Pair], device: str, head: str) -> "LoadedModel":
    _check_device(device)
    trained = open_pairs(pairs, head)
    return LoadedModel(joint(trained), load_members(pairs, trained, device))


def _check_device(device: str) -> None:
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter of a torch without CUDA
        why = str(error).partition("\n")[0]
        raise PhysioError(
            f"device {device!r} cannot be used", why=why, do="give cpu, or cuda where there is one"
        ) from None


class LoadedModel:
    """A trained method with its heads, or those of several folds.

    Signals are a mapping from modality to an array (windows, samples), of a modality of several
    leads (windows, leads, samples), in the modality's unit at `rate_hz`, filtered as those of
    training: `read` makes them from a file. A modality that is not there is a missing key. A window
    that lacks it alone, or a lead, is a row of NaN.
    """

    def __init__(self, trained: Trained, members: Sequence[Member]):
        self._trained, self._members = trained, members

    def __repr__(self) -> str:
        names = ", ".join(self._trained.settings.modalities)
        return f"<LoadedModel: {self._trained.title}; modalities {names}>"

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds whose models these are."""
        return tuple(self._trained.folds)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of `predict_proba`."""
        return tuple(self._trained.settings.classes)

    @property
    def units(self) -> dict[str, str]:
        """Modality -> unit of its signals, in order."""
        known = self._trained.shards.modalities
        return {m: known[m].unit for m in self._trained.settings.modalities}

    @property
    def rate_hz(self) -> float:
        """Samples per second of every signal."""
        return self._trained.settings.window.rate_hz

    @property
    def samples(self) -> int:
        """Samples of a window."""
        return self._trained.settings.window.samples

    def read(
        self, recording: str | Path, channels: Mapping[str, str] | None = None
    ) -> dict[str, np.ndarray]:
        """All whole windows of a recording; what is lost in a window is NaN there.

        Args:
            channels: modality, or modality/lead, -> its channel where names differ from training's;
                with `/minus` behind it, the one that is subtracted, or "none".

        Raises:
            DataError: the file cannot be used, see `physiome predict`.
        """
        settings, wanted = self._trained.shards, self._trained.settings.modalities
        mapped = dict(channels or {})
        known = map_keys(settings.modalities)
        for name in mapped:
            if name not in known:
                raise PhysioError(f"unknown modality {name!r}", do=nearest(name, known))
        rows, windows, _ = cut_unlabelled(Path(recording), settings, mapped, wanted)
        found = {}
        for m, x in rows.items():
            has = windows[f"has_{m}"].to_numpy(bool)
            if has.any():
                found[m] = np.where(has.reshape(-1, *[1] * (x.ndim - 1)), x, np.nan)
        return found

    def embed(self, signals: Mapping[str, np.ndarray]) -> np.ndarray:
        """Embeddings (windows, D) of what each window carries; NaN of one that carries nothing.

        Raises:
            DataError: signals of another shape, windows whose embeddings have other widths than
                those of others (with such a method, embed them apart), or several folds.
        """
        import torch

        if len(self._members) > 1:
            raise DataError(
                "embeddings of several folds' models have nothing in common",
                where=self._trained.title,
                do="load one fold",
            )
        method = self._members[0].method
        given = self._checked(signals)
        carried = _carried(given)
        found: dict[Subset, tuple[np.ndarray, np.ndarray]] = {}
        for subset in {s for s in carried if s}:
            why = method.refuses(subset)
            if why:
                raise DataError(f"the method refuses {subset_name(subset)}", why=why)
            places = np.array([i for i, s in enumerate(carried) if s == subset])
            batch = self._trained.settings.batch
            parts = []
            for start in range(0, len(places), batch):
                rows = places[start : start + batch]
                tensors = {m: torch.from_numpy(given[m][rows]).to(method.device) for m in subset}
                parts.append(embed_subsets(method, tensors, [subset])[subset].cpu().numpy())
            found[subset] = places, np.concatenate(parts)
        widths = {values.shape[1] for _, values in found.values()} or {self._width(given)}
        if len(widths) != 1:
            raise DataError(
                "no embedding of one width for all windows",
                why=f"widths {sorted(widths)} of {', '.join(map(subset_name, found))}",
                do="embed windows that carry the same modalities",
            )
        result = np.full((len(carried), widths.pop()), np.nan, np.float32)
        for places, values in found.values():
            result[places] = values
        return result

    def _width(self, given: Mapping[str, np.ndarray]) -> int:
        """Of an embedding of what is given; of the first subset scored if the method refuses it."""
        import torch

        method, settings = self._members[0].method, self._trained.settings
        asked = [tuple(given), *named_subsets(settings.scored, settings.modalities)]
        subset = next(s for s in asked if not method.refuses(s))
        blank = {m: torch.zeros(1, *self._shape(m), device=method.device) for m in subset}
        return embed_subsets(method, blank, [subset])[subset].shape[1]

    def predict_proba(self, signals: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities (windows, classes) from what each window carries; NaN where nothing can.

        By the heads `centred` and `context` windows are seen against the mean of all that are
        given, by the latter beside their neighbours.

        Raises:
            DataError: signals of another shape.
        """
        given = self._checked(signals)
        has = _there(given)
        count = len(next(iter(given.values())))
        onset_s = np.arange(count) * self._trained.settings.window.length_s
        windows = pd.DataFrame({"number": range(count), "onset_s": onset_s})
        windows = windows.assign(
            **{f"has_{m}": there for m, there in has.items()},
            **{f"lost_{m}": np.where(there, "", "absent") for m, there in has.items()},
        )
        table = predict_members(self._members, self._trained, given, windows)
        return table[[f"p_{name}" for name in self.classes]].to_numpy(np.float32)

    def _checked(self, signals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Signals in the model's order, float32.

        Raises:
            DataError: none, an unknown modality, another shape, or a window that is partly NaN.
        """
        known = self._trained.settings.modalities
        for name in signals:
            if name not in known:
                raise DataError(f"unknown modality {name!r}", do=nearest(name, known))
        given = {m: np.asarray(signals[m], np.float32) for m in known if m in signals}
        if not given:
            raise DataError("no modality is given", do=f"give some of {', '.join(known)}")
        first = next(iter(given.values()))
        count = len(first) if first.ndim > 1 else "windows"
        for m, x in given.items():
            expected = (count, *self._shape(m))
            if x.shape != expected:
                told = ", ".join(map(str, expected))
                raise DataError(f"{m} has shape {x.shape}", why=f"({told}) was expected")
            lost = np.isnan(x)
            if (lost.any(axis=-1) != lost.all(axis=-1)).any() or np.isinf(x).any():
                raise DataError(
                    f"{m} has a window that is partly not a number",
                    do="make all of it NaN: then the window lacks it",
                )
        return given

    def _shape(self, modality: str) -> tuple[int, ...]:
        """Of one window."""
        leads = self._trained.shards.modalities[modality].lead_names
        return (*([len(leads)] if leads else []), self.samples)


def _there(signals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Modality -> which windows carry it, (W,) bool."""
    lost = {m: np.isnan(x).all(axis=tuple(range(1, x.ndim))) for m, x in signals.items()}
    return {m: np.logical_not(x) for m, x in lost.items()}


def _carried(signals: Mapping[str, np.ndarray]) -> Sequence[Subset]:
    """The modalities that each window carries."""
    has = _there(signals)
    count = len(next(iter(signals.values())))
    return [tuple(m for m in has if has[m][w]) for w in range(count)]
