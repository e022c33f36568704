"""What `bundle.json` says: whose models these are, what they want, and every file's sum."""

from typing import Annotated, Any, Self

from pydantic import Field, NonNegativeInt

from physiome.config.base import Spec
from physiome.errors import ConfigError, DataError
from physiome.files import digest

FORMAT = 1
NAME = "bundle.json"
CARD = "README.md"
Number = Annotated[str, Field(pattern=r"^[0-9]{1,4}$")]  # of a fold


class File(Spec):
    """One file of a bundle."""

    sha256: str
    bytes: NonNegativeInt


class FoldFiles(Spec):
    """Names of a fold's files, below the bundle; a control has no weights."""

    heads: str
    weights: str | None = None


class Channel(Spec):
    """One channel: what it is called in recordings, and what is subtracted from it."""

    name: str
    aliases: tuple[str, ...] = ()
    minus: str | None = None


class Wanted(Spec):
    """What carries a modality."""

    channels: tuple[Channel, ...]
    unit: str
    rate_hz: float
    reference: str | None = None
    leads_needed: int


class Contents(Spec):
    """A bundle's table of contents.

    Models are used by what their heads say of themselves; the rest is for people and programs that
    look before they fetch.

    Attributes:
        folds: by number, as text.
        window: length_s, rate_hz, lowpass_hz.
        software: of the export and of the training.
        code: fold -> digest of the modules that trained it; of weights alone.
        tested, controls: rows of scores, see `physiome.predict.bundle.tested`.
        trained_on: fold -> role -> subjects, records, windows.
        sum: digest of everything else here.
    """

    format: int = FORMAT
    method: str
    title: str
    dataset: str
    dataset_title: str
    classes: tuple[str, ...]
    modalities: dict[str, Wanted]
    window: dict[str, float | None]
    folds: dict[Number, FoldFiles] = Field(min_length=1)
    trained_on: dict[str, dict[str, dict[str, int]]]
    tested: tuple[dict[str, Any], ...]
    controls: tuple[dict[str, Any], ...]
    software: dict[str, str]
    code: dict[str, str]
    files: dict[str, File]
    sum: str = ""

    @classmethod
    def read(cls, plain: Any, where: object) -> Self:
        """From the JSON data of a file.

        Raises:
            DataError: of another kind or version, or altered since it was written.
        """
        found = plain.get("format") if isinstance(plain, dict) else None
        if found != FORMAT:
            raise DataError(
                f"not the {NAME} of a bundle that this version reads",
                where=where,
                why=f"format {found!r}, not {FORMAT}",
                do="install a version of physiome as new as the one that exported it",
            )
        try:
            contents = cls.parse(plain, NAME)
        except ConfigError as error:
            raise DataError(
                f"not the {NAME} of a bundle", where=where, why=str(error), do="export it again"
            ) from None
        if contents.sum != contents.sealed().sum:
            raise DataError(
                f"{NAME} was altered after it was written",
                where=where,
                why=f"sum {contents.sum} noted in it, {contents.sealed().sum} found",
                do="fetch the bundle again, or export it again",
            )
        return contents

    def sealed(self) -> Self:
        """The same, with its sum."""
        rest = {key: value for key, value in self.plain().items() if key != "sum"}
        return self.model_copy(update={"sum": digest(rest)})
