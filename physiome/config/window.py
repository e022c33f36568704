"""How signals become windows: all that models need to know of the data's configuration."""

from pydantic import PositiveFloat

from physiome.config.base import Spec


class Window(Spec):
    """How signals become windows."""

    length_s: PositiveFloat
    rate_hz: PositiveFloat = 100.0
    lowpass_hz: PositiveFloat | None = None

    @property
    def samples(self) -> int:
        """Samples per window."""
        return round(self.length_s * self.rate_hz)
