"""Downloads that are whole or not there: mirrors, retries, resuming, verifying."""

import errno
import logging
import os
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from physiome.config.data import Raw
from physiome.data.checks import Check
from physiome.data.slots import connection_slot, writer_lock
from physiome.data.transfer import Interrupted, Refused, drop, transfer
from physiome.errors import DataError, PhysioError

log = logging.getLogger(__name__)
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True)
class Limits:
    """How patient a download is."""

    timeout_s: float = 60.0  # for connecting and for every read of the socket
    attempts: int = 5  # at each address
    connections: int = 4  # at once, in all processes of this user on this machine
    pause_s: float = 1.0  # before the second attempt; doubles, with jitter

    @classmethod
    def of(cls, raw: Raw) -> "Limits":
        """The limits that the configuration names."""
        return cls(raw.timeout_s, raw.attempts, raw.connections)


def addresses(bases: Sequence[str], relative: str) -> list[str]:
    """The address of a file below each base address, in their order."""
    return [f"{base.rstrip('/')}/{quote(relative)}" for base in bases]


def fetch(urls: Sequence[str], path: str | Path, check: Check, limits: Limits) -> None:
    """Make sure that `path` holds the file at `urls` (tried in order) and passes `check`.

    A file that is already there is checked again; if it fails, it stays until a good one replaces
    it. What was received of an unfinished download stays in `<path>.part` and is continued.

    Raises:
        DataError: listing each address with its attempts, the bytes received and the reason.
        PhysioError: if the file cannot be written (a full disk, a read-only folder).
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with writer_lock(path):
            altered = _problem_of(path, check) if path.exists() else None
            if path.exists() and altered is None:
                return
            if altered is not None:
                log.warning("file=%s problem=%r action=fetching it again", path, altered)
            failures = _first_success(urls, path, check, limits)
    except OSError as error:
        raise _cannot_write(path, error) from None
    if failures is not None:
        there = f"; the one that is there is bad ({altered})" if altered else ""
        raise DataError(
            f"file cannot be fetched{there}",
            where=path,
            why="; ".join(failures) or "no address is given",
            do="check the addresses and the network, then run again: downloads are continued",
        )


def _first_success(
    urls: Sequence[str], path: Path, check: Check, limits: Limits
) -> list[str] | None:
    """None as soon as one address gave the file, else the failure at each."""
    part = path.with_name(path.name + ".part")
    failures = []
    for url in urls:
        failure = _from_address(url, part, check, limits)
        if failure is None:
            with open(part, "rb") as received:
                os.fsync(received.fileno())
            size = part.stat().st_size
            os.replace(part, path)
            drop(part)
            log.info("fetched file=%s bytes=%d", path, size)
            return None
        failures.append(failure)
    return failures


def _from_address(url: str, part: Path, check: Check, limits: Limits) -> str | None:
    """None if `part` now holds the verified file, else what went wrong."""
    reason, attempt = "", 0
    while attempt < limits.attempts:
        attempt += 1
        wait_s = None
        try:
            with connection_slot(limits.connections):
                continued = transfer(url, part, limits.timeout_s)
            reason = _problem_of(part, check)
            if reason is None:
                return None
            drop(part)
            if not continued:  # the same bytes would come again
                break
        except Refused as refusal:
            reason = str(refusal)
            break
        except Interrupted as interruption:
            reason, wait_s = str(interruption), interruption.wait_s
        log.warning("url=%s attempt=%d of=%d problem=%r", url, attempt, limits.attempts, reason)
        if attempt < limits.attempts:
            time.sleep(wait_s if wait_s is not None else _pause_s(attempt, limits))
    received = part.stat().st_size if part.exists() else 0
    return f"{url} ({attempt} attempts, {received} bytes kept): {reason}"


def _pause_s(attempt: int, limits: Limits) -> float:
    doubled = limits.pause_s * 2 ** (attempt - 1)
    return min(doubled, LONGEST_PAUSE_S) * random.uniform(0.5, 1.5)


def _problem_of(path: Path, check: Check) -> str | None:
    try:
        check(path)
    except DataError as error:
        return " - ".join(part for part in (error.what, error.why) if part)
    return None


def _cannot_write(path: Path, error: OSError) -> PhysioError:
    why = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        why += f", {shutil.disk_usage(path.parent).free} bytes are free"
    return PhysioError(
        "file cannot be written", where=path, why=why, do="make room or choose another folder"
    )
