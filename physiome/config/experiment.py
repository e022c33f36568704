"""What a configuration means: sections with their overrides, methods resolved, rows of tables."""

from typing import Any

from pydantic import PrivateAttr

from physiome.config.report import MethodEntry
from physiome.config.resolve import Resolved, encoder_entry, resolve, section
from physiome.config.schema import Sections
from physiome.registry import Entry


class Experiment(Sections):
    """The sections, and what they come to for a data set, a fold, a table."""

    # A plan asks for each row some five times.
    _resolved: dict[tuple[str, str, int | None], Resolved] = PrivateAttr(default_factory=dict)

    def numbers(self, dataset: str) -> list[int]:
        """The folds that are run for a data set."""
        return self.section("folds", dataset).numbers

    def section(self, name: str, dataset: str, fold: int | None = None) -> Any:
        """One section with the overrides of the data set and the fold applied."""
        return section(self, name, dataset, fold)

    def resolve(self, name: str, dataset: str, fold: int | None = None) -> Resolved:
        """What a method or variant is, for a fold of a data set.

        Raises:
            ConfigError: for settings that its specification refuses.
        """
        key = name, dataset, fold
        if key not in self._resolved:
            self._resolved[key] = resolve(self, name, dataset, fold)
        return self._resolved[key]

    def encoder_entry(self, name: str) -> Entry:
        """The registered modality encoder that a name, perhaps of a variant, stands for."""
        return encoder_entry(self, name)

    def rows_of(self, table: str) -> dict[str, str]:
        """Method or variant -> title, of a table."""
        if table in self.ablations:
            return self.ablations[table].rows
        dataset = self.tables_of[table]
        found = {m: self.resolve(m, dataset) for m in self.methods_of(dataset)}
        return {m: r.title for m, r in found.items() if self.applies(r, dataset)}

    def applies(self, found: Resolved, dataset: str) -> bool:
        """A method of one modality is no row where a data set does not have it."""
        return found.settings.get("modality") in (None, *self.datasets[dataset].modalities)

    def folds_of(self, table: str) -> list[int]:
        """The folds a table is made of."""
        numbers = self.numbers(self.tables_of[table])
        return numbers[: self.ablations[table].folds] if table in self.ablations else numbers

    def subsets_of(self, method: str, dataset: str) -> list[str] | None:
        """The subsets that some table shows of a method; None: all that are scored."""
        if method in self.methods_of(dataset):
            return None
        tables = [a for a in self.ablations.values() if a.dataset == dataset and method in a.rows]
        return sorted({subset for a in tables for subset in a.subsets}) or None

    def shown(self, table: str) -> dict[str, Any]:
        """Of `ShownSpec`: what tables and figures show, all but the head."""
        dataset = self.tables_of[table]
        spec, rows = self.datasets[dataset], self.rows_of(table)
        titles = {m: modality.title or m for m, modality in spec.modalities.items()}
        methods = {
            m: MethodEntry(title=title, scope=self.resolve(m, dataset).entry.scope)
            for m, title in rows.items()
        }
        facts = {"dataset": dataset, "title": spec.title, "modalities": titles, "methods": methods}
        return facts if spec.scored is None else {**facts, "scored": spec.scored}
