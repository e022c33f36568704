"""Whether recordings can be cut and divided as asked: their units, lengths and subjects."""

from collections.abc import Iterable, Iterator, Mapping

from physiome.config.data import ShardSettings
from physiome.config.tree import Config
from physiome.data.cutting.signals import unit_factor, units_conflict
from physiome.data.recording import UNCALIBRATED
from physiome.doctor.finding import Finding, several

Units = Mapping[str, set[tuple[str, str]]]  # lead -> (channel, unit) of recordings


def is_one_fit(settings: ShardSettings, found: Units, longest_s: float) -> bool:
    """Whether some recording is as long as a window, and has each lead in a unit that is taken."""
    wanted = {key: settings.modalities[_of(key)].unit for key in found}
    taken = (any(not _refused(u, wanted[key]) for _, u in found[key]) for key in found)
    return longest_s >= settings.window.length_s and all(taken)


def units(
    dataset: str, settings: ShardSettings, found: Units, all_opened: bool
) -> Iterator[Finding]:
    """Leads whose channels' unit is of another kind than the wanted one, or not known beside it.

    Args:
        found: values without a unit are taken as they are.
        all_opened: no recording is left that could have another unit.
    """
    as_it_is = "or '' to take values as they are"
    for key, channels in found.items():
        modality = _of(key)
        wanted = settings.modalities[modality].unit
        setting = f"datasets.{dataset}.modalities.{modality}.unit"
        wrong = {pair for pair in channels if _refused(pair[1], wanted)}
        unknown = {pair for pair in channels if unit_factor(pair[1], wanted) is None} - wrong
        for name, unit in sorted(wrong):
            yield Finding(
                "FAIL" if wrong == channels and all_opened else "warn",
                "units",
                f"{dataset}: channel {name!r} is {'' if unit == UNCALIBRATED else 'in '}{unit}, "
                f"and {key} is wanted in {wanted}: "
                "such recordings are left out",
                f"name another channel, or correct {setting}, {as_it_is}",
            )
        for name, unit in sorted(unknown):
            yield Finding(
                "warn",
                "units",
                f"{dataset}: channel {name!r} is in {unit!r}, of which no conversion to {wanted!r} "
                f"is known: {key} has its values as they are",
                f"correct {setting}, {as_it_is}",
            )


def _of(key: str) -> str:
    """The modality of a lead, see `carriers`."""
    return key.partition("/")[0]


def _refused(unit: str, wanted: str) -> bool:
    """Whether a recording whose channel has this unit is left out."""
    return units_conflict(unit, wanted) or (unit == UNCALIBRATED and wanted != "")


def lengths(
    dataset: str, settings: ShardSettings, longest_s: float, told: str, all_opened: bool
) -> Iterator[Finding]:
    """Recordings that are shorter than one window.

    Args:
        longest_s: the longest of those opened.
        told: how many these are.
        all_opened: there are no others.
    """
    window_s = settings.window.length_s
    if longest_s < window_s:
        yield Finding(
            "FAIL" if all_opened else "warn",
            "lengths",
            f"{dataset}: the longest of {told} has {longest_s:g} s, less than a window of "
            f"{window_s:g} s",
            f"make datasets.{dataset}.window.length_s shorter",
        )


def subjects(config: Config, dataset: str, names: Iterable[str]) -> Iterator[Finding]:
    """Too few for the folds: each tests some and needs two labelled and one to pretrain on.

    Args:
        names: the subject of every recording that can be used.
    """
    count, folds = len(set(names)), config.section("folds", dataset).count
    if count < folds + 2:
        yield Finding(
            "FAIL",
            "subjects",
            f"{dataset}: the recordings are of {several(count, 'subject')}, and {folds} folds need "
            f"{folds + 2} with labels",
            "add recordings or make folds.count smaller",
        )
