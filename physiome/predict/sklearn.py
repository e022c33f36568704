"""Embeddings of a trained model as a step of scikit-learn's pipelines."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from physiome.errors import DataError
from physiome.predict.api import LoadedModel, load


class PhysioEmbedding(TransformerMixin, BaseEstimator):
    """Windows of any modalities -> embeddings of one trained model; it learns nothing itself.

    X is an array (windows, modalities, samples), or a mapping as `LoadedModel.embed` takes it (a
    modality of several leads needs that). A window lacks a modality whose samples are all NaN; its
    row is NaN if it lacks all.

    Args:
        model: results folder or bundle, as `physiome.predict.api.load` takes it, or what it gave.
        dataset, method, fold: which model.
        modalities: those of an array, in order; None: all of the model.
        device: where torch shall compute.

    Example:
        `make_pipeline(PhysioEmbedding("bundle.zip"), LogisticRegression()).fit(X, y)`
    """

    def __init__(
        self,
        model: str | Path | LoadedModel = "results",
        dataset: str | None = None,
        method: str | None = None,
        fold: int | None = None,
        modalities: Sequence[str] | None = None,
        device: str = "cpu",
    ):
        self.model = model
        self.dataset = dataset
        self.method = method
        self.fold = fold
        self.modalities = modalities
        self.device = device

    def fit(self, X: Any, y: Any = None) -> Self:
        """Nothing is learned."""
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Embeddings (windows, D) float32.

        Raises:
            PhysioError: no such model, or signals of another shape.
        """
        model = self._opened()
        return model.embed(X if isinstance(X, Mapping) else self._named(X, model))

    def _opened(self) -> LoadedModel:
        """The model, loaded once for as long as the parameters stay."""
        if isinstance(self.model, LoadedModel):
            return self.model
        asked = (str(self.model), self.dataset, self.method, self.fold, self.device)
        known = getattr(self, "_loaded", None)
        if known is None or known[0] != asked:
            known = self._loaded = asked, load(*asked)
        return known[1]

    def _named(self, X: Any, model: LoadedModel) -> dict[str, np.ndarray]:
        names = list(model.units if self.modalities is None else self.modalities)
        x = np.asarray(X, np.float32)
        if x.ndim != 3 or x.shape[1] != len(names):
            raise DataError(
                f"X has shape {x.shape}",
                why=f"(windows, {len(names)}, samples) was expected: {', '.join(names)}",
                do="name those of X as modalities, or give a mapping",
            )
        return {m: x[:, i] for i, m in enumerate(names)}

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        tags.input_tags.allow_nan = True
        return tags
