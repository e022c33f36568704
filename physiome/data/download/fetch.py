"""Downloads that are whole or not there: mirrors, retries, resuming, verifying."""

import logging
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

from physiome.data.download.file_checks import Check
from physiome.data.download.limits import Limits, NotYetError
from physiome.data.download.locks import connection_slot, writer_lock
from physiome.data.download.partial_file import drop, part_of, size_of
from physiome.data.download.transfer import PIECE, BrokenOffError, Refused, Unreachable, transfer
from physiome.errors import DataError
from physiome.files import sync_folder, write_errors

log = logging.getLogger(__name__)
LONGEST_PAUSE_S = 60.0
# Hosts that could not be reached in any attempt. Until one answers it is asked once per file, lest
# an offline machine wait through every attempt for each of hundreds of files.
_unreachable: set[str] = set()


@dataclass(frozen=True)
class Failure:
    """Why an attempt, or all of them at an address, did not bring the file."""

    text: str
    may_pass: bool  # asking again can help
    wait_s: float | None = None  # the pause that the server asks for
    reached: bool = True  # there was a connection


def addresses(bases: Sequence[str], relative: str) -> list[str]:
    """The address of a file below each base address, in their order."""
    return [f"{base.rstrip('/')}/{quote(relative)}" for base in bases]


def fetch(urls: Sequence[str], path: str | Path, check: Check, limits: Limits) -> None:
    """Make sure that `path` holds the file at `urls` (tried in order) and passes `check`.

    A file that is already there is checked again; if it fails, it stays until a good one replaces
    it. What was received of an unfinished download stays in `<path>.part` and is continued.

    Raises:
        NotYetError: if some address may give the file later (no connection, time-out, busy server).
        DataError: if none will (not found, a web page, a wrong sum). Both list each address with
            its attempts, the bytes received and the reason.
        PhysioError: if the file cannot be written (a full disk, a read-only folder).
    """
    path = Path(path)
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with writer_lock(path):
            altered = _problem_of(path, check) if path.exists() else None
            if path.exists() and altered is None:
                return
            if altered is not None:
                log.warning("file=%s problem=%r action=fetching it again", path, altered)
            failures = _first_success(urls, path, check, limits)
    if failures is not None:
        there = f"; the one that is there is bad ({altered})" if altered else ""
        later = any(failure.may_pass for failure in failures)
        raise (NotYetError if later else DataError)(
            f"file cannot be fetched{there}",
            where=path,
            why="; ".join(failure.text for failure in failures) or "no address is given",
            do="check the network, then run again: downloads are continued"
            if later
            else "correct the addresses",
        )


def _first_success(
    urls: Sequence[str], path: Path, check: Check, limits: Limits
) -> list[Failure] | None:
    """None as soon as one address gave the file, else the failure at each."""
    part = part_of(path)
    failures = []
    for url in urls:
        failure = _from_address(url, part, check, limits)
        if failure is None:
            with open(part, "rb") as received:
                os.fsync(received.fileno())
            size = size_of(part)
            os.replace(part, path)
            sync_folder(path.parent)
            drop(part)
            log.info("fetched file=%s bytes=%d", path, size)
            return None
        failures.append(failure)
    return failures


def _from_address(url: str, part: Path, check: Check, limits: Limits) -> Failure | None:
    """None if `part` now holds the verified file, else what went wrong last.

    Attempts that bring the file forward by 16 KiB, alone or together, do not count: a bad line is
    not hopeless. The mark they are measured from only rises, so that there is an end.
    """
    host = urlsplit(url).netloc
    allowed = 1 if host in _unreachable else limits.attempts
    attempts, in_vain, reached = 0, 0, size_of(part)
    while True:
        attempts += 1
        failure = _attempt(url, part, check, limits)
        if failure is None or failure.reached:
            _unreachable.discard(host)
        if failure is None:
            return None
        received = size_of(part)
        in_vain += 1
        if received - reached >= PIECE:
            in_vain, reached = 0, received
        if not failure.may_pass or in_vain >= allowed:
            break
        log.warning("url=%s attempt=%d problem=%r bytes=%d", url, attempts, failure.text, received)
        wait_s = failure.wait_s
        time.sleep(_pause_s(max(in_vain, 1), limits) if wait_s is None else wait_s)
    if not failure.reached:
        _unreachable.add(host)
    text = f"{url} ({attempts} attempts, {received} bytes kept): {failure.text}"
    return replace(failure, text=text)


def _attempt(url: str, part: Path, check: Check, limits: Limits) -> Failure | None:
    try:
        with connection_slot(limits.connections):
            continued = transfer(url, part, limits)
    except Refused as refusal:
        return Failure(str(refusal), may_pass=False)
    except BrokenOffError as cut:
        return Failure(str(cut), True, cut.wait_s, reached=not isinstance(cut, Unreachable))
    problem = _problem_of(part, check)
    if problem is None:
        return None
    drop(part)
    return Failure(problem, may_pass=continued)  # what came in one go would come again the same


def _pause_s(attempt: int, limits: Limits) -> float:
    doubled = limits.pause_s * 2 ** (attempt - 1)
    return min(doubled, LONGEST_PAUSE_S) * random.uniform(0.5, 1.5)


def _problem_of(path: Path, check: Check) -> str | None:
    try:
        check(path)
    except DataError as error:
        return " - ".join(part for part in (error.what, error.why) if part)
    return None
