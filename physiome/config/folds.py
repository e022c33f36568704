"""How subjects are divided."""

from typing import Annotated

from pydantic import Field

from physiome.config.base import Spec

OpenShare = Annotated[float, Field(gt=0.0, lt=1.0)]


class FoldSpec(Spec):
    """Folds by subject: one is tested; of the rest `train_share` is labelled, others pretrain."""

    count: int = Field(default=5, ge=2, le=1000)
    use: int | None = Field(default=None, ge=1)  # run only the first `use` folds; null: all
    seed: int = Field(default=0, ge=0, lt=2**31)  # scikit-learn takes no others
    train_share: OpenShare = 0.2
    similar_names_differ: bool = False  # `S01` and `s1` are two people
    allow_missing_classes: bool = False  # go on where a labelled or test subset lacks a class

    @property
    def numbers(self) -> list[int]:
        """The folds that are run, counted from 1."""
        return list(range(1, min(self.count, self.use or self.count) + 1))


class FoldsSettings(Spec):
    """What dividing subjects depends on."""

    folds: FoldSpec
    classes: tuple[str, ...]
    max_left_out: float
