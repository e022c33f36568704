"""Settings of whichever modality encoder: their name says by which specification they are read."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from physiome.config.model import CommonEncoderSpec
from physiome.registry import ENCODERS, lookup


def encoder_spec(plain: Mapping[str, Any], where: str = "encoder") -> CommonEncoderSpec:
    """The settings of an encoder, read by its own specification.

    Raises:
        ConfigError: for an unknown name, or settings that the specification refuses.
    """
    entry = lookup(ENCODERS, plain.get("name", ""), f"{where}.name")
    return entry.specification().parse(dict(plain), where)


def _whole(plain: dict[str, Any]) -> dict[str, Any]:
    return encoder_spec(plain).plain()


# As plain data, with defaults filled in
EncoderSettings = Annotated[dict[str, Any], AfterValidator(_whole)]
