"""How patient a download is, and what is said when its patience ends."""

from dataclasses import dataclass

from physiome.config.sources import Transfer
from physiome.errors import DataError


class NotYetError(DataError):
    """A file that may be had later: asking again can help."""


@dataclass(frozen=True)
class Limits:
    """Times in seconds, counts of attempts and connections."""

    connect_timeout_s: float = 15.0
    timeout_s: float = 60.0  # for every read of the socket, and for every 16 KiB of the file
    attempts: int = 5  # in a row that bring less than 16 KiB, at each address
    connections: int = 4  # at once, in all processes of this user on this machine
    pause_s: float = 1.0  # before the second attempt; doubles, with jitter
    heartbeat_s: float = 30.0  # between lines about progress; 0: none

    @classmethod
    def of(cls, transfer: Transfer) -> "Limits":
        """The limits that the configuration names."""
        return cls(
            transfer.connect_timeout_s,
            transfer.timeout_s,
            transfer.attempts,
            transfer.connections,
            heartbeat_s=transfer.heartbeat_s,
        )
