"""Dedicated methods: one model per subset of modalities, trained side by side in one job.

The models have no weight in common, so training them together changes nothing but cost: windows are
read once, and what does not depend on the subset is computed once.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from physiome.errors import PhysioError
from physiome.methods.base import Method, Signals
from physiome.subsets import Subset, subset_name


class OnePerSubset(Method):
    """Holds one `Method` per subset; a batch trains those whose modalities it really has.

    Args:
        models: the model of each subset. All must `encode` a modality alike.
    """

    comparable = False  # embeddings of two subsets come from two models

    def __init__(self, modalities: tuple[str, ...], models: Mapping[Subset, Method]):
        super().__init__(modalities)
        self.models = nn.ModuleDict({subset_name(s): model for s, model in models.items()})
        self.weights = {
            f"{name}/{term}": weight
            for name, model in self.each()
            for term, weight in model.weights.items()
        }

    def each(self) -> Iterator[tuple[str, Method]]:
        """Subset name -> model."""
        for name, model in self.models.items():
            assert isinstance(model, Method)
            yield name, model

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """The same constants in every model."""
        for name, model in self.each():
            model.set_scaling({m: constants[m] for m in name.split("+")})

    def calibrate(self, sample: Signals) -> None:
        """Of every model, from the sample's modalities that it has."""
        for name, model in self.each():
            model.calibrate({m: sample[m] for m in name.split("+")})

    def learns_from(self, modalities: Sequence[str]) -> bool:
        """Where some model has these modalities: a subset that is not scored has none."""
        of_models = (tuple(name.split("+")) for name in self.models)
        return any(set(subset) <= set(modalities) for subset in of_models)

    def objectives(
        self, batch: Signals, rng: torch.Generator
    ) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """One objective per model; terms are called `<subset>/<term>`."""
        prepared = self.prepare(batch)
        for name, model in self.each():
            subset = tuple(name.split("+"))
            if all(m in batch for m in subset):
                terms = model.loss(self.view(prepared, subset), rng)
                yield model.total(terms), {f"{name}/{t}": value for t, value in terms.items()}

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """The terms of all models."""
        return {
            name: value for _, terms in self.objectives(batch, rng) for name, value in terms.items()
        }

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum over the models that had a batch."""
        known = [weight * terms[name] for name, weight in self.weights.items() if name in terms]
        return torch.stack(known).sum()

    def clip_groups(self) -> list[list[nn.Parameter]]:
        """Those of each model."""
        return [list(model.parameters()) for _, model in self.each()]

    def after_step(self) -> None:
        """After the step of each model."""
        for _, model in self.each():
            model.after_step()

    def prepare(self, batch: Signals) -> dict[str, Tensor]:
        """What all models share of a training batch; by default the batch itself."""
        return dict(batch)

    def view(self, prepared: Mapping[str, Tensor], subset: Sequence[str]) -> dict[str, Tensor]:
        """What the model of `subset` sees of it."""
        return {m: prepared[m] for m in subset}

    def refuses(self, subset: Sequence[str]) -> str:
        """A subset without a model: the data set is not scored under it."""
        known = subset_name(subset) in self.models
        return "" if known else f"no model of it was trained ({len(self.models)} subsets have one)"

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """As every one of the models does."""
        full = self.models[subset_name(self.modalities)]
        assert isinstance(full, Method)
        return full.encode(observed)

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """The embedding by the model of exactly these modalities."""
        subset = [m for m in self.modalities if m in encoded]
        why = self.refuses(subset)
        if why:
            raise PhysioError(f"cannot embed {subset_name(subset)}", why=why)
        model = self.models[subset_name(subset)]
        assert isinstance(model, Method)
        return model.fuse(self.view(encoded, subset))
