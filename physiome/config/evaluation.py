"""Linear evaluation: the heads fitted on frozen embeddings."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from physiome.config.base import Spec


class PaperHead(Spec):
    """The published downstream head: width -> hidden -> classes, batch-norm and GELU."""

    hidden: PositiveInt = 128
    epochs: PositiveInt = 30
    batch: PositiveInt = 512
    learning_rate: PositiveFloat = 2.0e-4
    weight_decay: NonNegativeFloat = 0.01


class ProbeSpec(Spec):
    """Main head: multinomial logistic regression; its strength is chosen on held-out subjects."""

    strengths: tuple[PositiveFloat, ...] = Field(
        default=(1.0e-5, 1.0e-4, 1.0e-3, 1.0e-2, 1.0e-1, 1.0, 10.0, 100.0), min_length=1
    )
    max_iterations: PositiveInt = 1000
    seed: int = 0
    paper_head: PaperHead | None = PaperHead()
    one_head: bool = True  # also: the head of the full set applied to every subset
    # Also: a head on embeddings less the mean of their own recording, or of all of a subject
    centred: Literal["record", "subject"] | None = None
    # And one also given the mean of the windows that begin at most so long before or after
    context_s: PositiveFloat | None = None

    @property
    def reach_s(self) -> float | None:
        """`context_s`, if that head is fitted: of embeddings that are centred."""
        return self.context_s if self.centred else None


class FewLabelsSpec(Spec):
    """Heads fitted on few of the labelled subjects."""

    probe: ProbeSpec
    draws: PositiveInt
    resamples: PositiveInt
    seed: NonNegativeInt
