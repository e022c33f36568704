"""The experiment as a graph: which trainings a table needs, and what each of them begins with.

Rules, the doctor, costs, the estimate and the search for stale results all ask here.
"""

from collections.abc import Iterable
from functools import cache

from physiome.config.resolve import Resolved, resolve_pretrain
from physiome.config.training import TrainSpec
from physiome.config.tree import Config
from physiome.plan.layout import Model, Row
from physiome.registry import METHODS, lineage


class Graph:
    """Rows and models of a configuration.

    Args:
        config: validated.
    """

    def __init__(self, config: Config):
        self.config = config
        self.ancestors = cache(self._ancestors)
        self.settings = cache(self._settings)

    def resolved(self, row: Row) -> Resolved:
        """The method or variant with the changes of its data set and fold."""
        return self.config.resolve(row.method, row.dataset, row.fold)

    def rows(self, table: str) -> list[Row]:
        """Every fold and method of a table."""
        dataset = self.config.tables_of[table]
        methods = self.config.rows_of(table)
        return [Row(dataset, f, m) for f in self.config.folds_of(table) for m in methods]

    def shown(self, dataset: str) -> list[Row]:
        """Rows of all made tables of a data set, each once."""
        tables = [t for t in self.config.made_tables if self.config.tables_of[t] == dataset]
        return [*dict.fromkeys(row for table in tables for row in self.rows(table))]

    def model(self, row: Row) -> Model | None:
        """The row's own training; None for a method without weights."""
        if not self.resolved(row).entry.trains:
            return None
        return Model(row.dataset, row.fold, row.method)

    def parents(self, row: Row) -> list[Model]:
        """The models whose weights the row's training begins with, in the method's order."""
        found = self.resolved(row)
        if found.entry.trained_after:
            return [Model(row.dataset, row.fold, found.entry.trained_after)]
        if not found.entry.on_encoders:
            return []
        assert found.encoder is not None
        modalities = self.config.datasets[row.dataset].modalities
        return [Model(row.dataset, row.fold, found.encoder, m) for m in modalities]

    def _ancestors(self, row: Row) -> tuple[Model, ...]:
        """All trainings before the row's own, those that come first first."""
        parents = self.parents(row)
        before = (
            self.ancestors(Row(p.dataset, p.fold, p.name)) for p in parents if p.modality is None
        )
        return tuple(dict.fromkeys([m for models in before for m in models] + parents))

    def models(self, rows: Iterable[Row]) -> list[Model]:
        """All trainings behind some rows, ancestors first."""
        above: dict[Model, None] = {}
        below: dict[Model, None] = {}
        for row in rows:
            model = self.model(row)
            if model is not None:
                above[model] = None
                below |= dict.fromkeys(self.ancestors(row))
        return [*dict.fromkeys([*below, *above])]

    def training(self, model: Model) -> TrainSpec:
        """How long and at what rate a model is trained."""
        if model.modality is not None:
            return resolve_pretrain(self.config, model.name, model.dataset, model.fold)
        return self.resolved(Row(model.dataset, model.fold, model.name)).train

    def learns_from_labels(self, model: Model) -> bool:
        """Whether it sees the labelled subjects of its fold instead of the others."""
        row = Row(model.dataset, model.fold, model.name)
        return model.modality is None and self.resolved(row).entry.labels

    def _settings(self, model: Model) -> str:
        """What the model must have been trained with, as JSON."""
        if model.modality is not None:
            return self.config.pretrain_settings(model.dataset, model.fold, model.name)
        return self.config.train_settings(model.dataset, model.fold, model.name)

    def modules(self, row: Row) -> list[str]:
        """The modules that define the row's method and whatever it is built on."""
        found = self.resolved(row)
        modules = [METHODS[base].module for base in lineage(found.base)]
        if found.encoder:
            modules.append(self.config.encoder_entry(found.encoder).module)
        return modules
