"""What a method is: a module with two verbs. The loop, the probe and the tables know no more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from physiome.config.window import Window
from physiome.errors import PhysioError, nearest
from physiome.nn.leads import drop_leads
from physiome.subsets import Subset, named_subsets

# modality -> (B, L), in the modality's unit; of several leads (B, C, L), of which those that are
# not there are NaN (see `nn.leads`)
Signals = Mapping[str, Tensor]


@dataclass(frozen=True)
class Inputs:
    """What a method is fed.

    Attributes:
        modalities: in order.
        window: the length and rate of a window.
        classes: by index; only for methods that learn from labels.
        scored: names of the subsets that will be embedded, the full set first; None: all.
        leads: modality -> number of its leads, of those that have several.

    Example:
        >>> Inputs(("eeg", "eog"), Window(length_s=30.0, rate_hz=100.0)).window.samples
        3000
    """

    modalities: tuple[str, ...]
    window: Window
    classes: tuple[str, ...] = ()
    scored: tuple[str, ...] | None = None
    leads: Mapping[str, int] = field(default_factory=dict)

    @property
    def subsets(self) -> list[Subset]:
        """The subsets that will be embedded, in order."""
        return named_subsets(self.scored, self.modalities)


@dataclass(frozen=True)
class Progress:
    """How far a training is; epochs and steps are counted from 0."""

    epoch: int
    epochs: int
    step: int  # within the epoch
    steps: int  # of every epoch

    @property
    def share(self) -> float:
        """Share of the epochs that are over, in [0, 1)."""
        return self.epoch / self.epochs


class Method(nn.Module):
    """A system that is trained on signals and turns any subset of modalities into an embedding.

    A missing modality is a missing key of the dictionaries, never a zero tensor or a position.
    `embed` is split in two so that seven subsets need one encoding: `encode` looks at each modality
    alone, `fuse` combines whatever is given.

    Args:
        modalities: all it knows, in order.
        weights: loss term -> weight in the total; other terms are only logged.

    Attributes:
        progress: how far its training is; the loop sets it before every step.

    Example:
        >>> class Spread(Method):
        ...     def fuse(self, encoded):
        ...         return torch.stack([x.std(dim=1) for x in encoded.values()], dim=1)
        >>> method = Spread(("eeg", "eog"))
        >>> method.embed({"eog": torch.tensor([[3.0, 5.0, 7.0]])})
        tensor([[2.]])
        >>> method.embed({"eegs": torch.ones(1, 3)})
        Traceback (most recent call last):
        physiome.errors.PhysioError: unknown modality 'eegs' - did you mean 'eeg'? (known: eeg, eog)
    """

    level_columns: int = 0  # the last of an embedding, that hold levels of signals as they came in
    comparable: ClassVar[bool] = True  # embeddings have one size and meaning for every subset
    calibrated: ClassVar[bool] = False  # wants `calibrate` to be called before training
    departure: str = ""  # where it departs from its original so as to learn: a footnote
    contrasts: ClassVar[tuple[str, ...]] = ()  # loss terms that are NT-Xent contrasts of a batch
    progress: Progress = Progress(0, 1, 0, 1)  # set by the loop before every step
    restores: bool = False  # rebuilds modalities that are missing, by `restore`

    def __init__(self, modalities: tuple[str, ...], weights: Mapping[str, float] | None = None):
        super().__init__()
        self.modalities = modalities
        self.weights = dict(weights or {})  # loss term -> weight; other terms are only logged

    @classmethod
    def build(cls, spec: Any, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """The method, freshly initialised.

        Args:
            spec: its section of the configuration, read by the specification that its line in the
                registry names; a dictionary where it names none.
            inputs: what it is fed.
            parents: the `Method`s it begins with: one encoder per modality, or the one method it is
                trained after; none for most.
        """
        return cls(inputs.modalities)

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """Take (offset, scale) per modality, measured on the pretrain subset; default: unused."""

    def begin(self) -> None:
        """Take weights that were trained elsewhere. Called once, before training."""

    def calibrate(self, sample: Signals) -> None:
        """Take other constants from a sample of each modality's pretrain windows (n, L).

        Called once, after `set_scaling` and before training, if `calibrated`.
        """

    @staticmethod
    def thinned(batch: Signals, most: int | None, rng: torch.Generator) -> dict[str, Tensor]:
        """A training batch with at most `most` leads of each window, drawn; None: all there are."""
        if most is None:
            return dict(batch)
        return {m: drop_leads(x, most, rng) if x.ndim == 3 else x for m, x in batch.items()}

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Named loss terms of a training batch. All randomness comes from `rng`."""
        raise PhysioError(f"{type(self).__name__} has nothing to train")

    def learns_from(self, modalities: Sequence[str]) -> bool:
        """Whether a batch of windows with these modalities moves weights. If not, its loss is 0."""
        return True

    def labelled_loss(
        self, batch: Signals, labels: Tensor, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """As `loss`, with class indices (B,), for methods registered as learning from labels."""
        raise PhysioError(f"{type(self).__name__} does not learn from labels")

    def objectives(
        self, batch: Signals, rng: torch.Generator
    ) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """What one step minimises: (total, terms), each backpropagated before the next is made.

        One for most methods; one per model for methods that hold several.
        """
        terms = self.loss(batch, rng)
        yield self.total(terms), terms

    def clip_groups(self) -> list[list[nn.Parameter]]:
        """Weights of models that have none in common: gradients are clipped each on its own."""
        return [list(self.parameters())]

    def after_step(self) -> None:
        """Called after every optimiser step, for weights that follow by a moving average."""

    def refuses(self, subset: Sequence[str]) -> str:
        """Why this method cannot embed a subset; empty if it can. Tables show the reason."""
        return ""

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Each modality alone, as far as it does not depend on the others."""
        return dict(observed)

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Encoded modalities of one subset -> embedding (B, D)."""
        raise PhysioError(f"{type(self).__name__} cannot embed")

    def restore(self, encoded: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tokens (B, N, D) of every modality that `encoded` lacks; none where it does not."""
        return {}

    @property
    def device(self) -> torch.device:
        """Where its weights are; the CPU for a method that has none."""
        return next((t.device for t in self.state_dict().values()), torch.device("cpu"))

    @torch.no_grad()
    def embed(self, observed: Signals) -> Tensor:
        """Embedding (B, D) of the observed modalities, in evaluation mode.

        Raises:
            PhysioError: for an empty subset or an unknown modality.
        """
        if not observed:
            raise PhysioError("no modality observed", do=f"give some of {self.modalities}")
        for name in observed:
            if name not in self.modalities:
                raise PhysioError(f"unknown modality {name!r}", do=nearest(name, self.modalities))
        was_training = self.training
        self.eval()
        try:
            return self.fuse(
                self.encode({m: observed[m] for m in self.modalities if m in observed})
            )
        finally:
            self.train(was_training)

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the loss terms.

        Raises:
            ValueError: no term has a weight, or one that has is not there.
        """
        if not self.weights:
            raise ValueError(f"no loss term has a weight; given: {list(terms)}")
        for name in self.weights:
            if name not in terms:
                raise ValueError(f"no loss term {name!r}, which has a weight; given: {list(terms)}")
        return torch.stack([weight * terms[name] for name, weight in self.weights.items()]).sum()
