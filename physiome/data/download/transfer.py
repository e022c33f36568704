"""One attempt to bring a file from an address into its `.part` file, resuming where it can."""

import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import requests
import urllib3
from requests.exceptions import ConnectionError, ConnectTimeout

import physiome
from physiome.data.download.file_checks import looks_like_page
from physiome.data.download.limits import Limits
from physiome.data.download.partial_file import begin, drop, validator_of
from physiome.data.download.progress import Meter

log = logging.getLogger(__name__)
PIECE = 1 << 14  # bytes; a transfer that brings less in a time-out stands still
HEAD = 1 << 10  # bytes that show whether a file is a web page
RETRYABLE = {408, 425, 429, 500, 502, 503, 504}
LONGEST_WAIT_S = 120.0  # a server that asks for a longer pause gets this one
HOPELESS = (
    requests.exceptions.SSLError,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.TooManyRedirects,
)


class Refused(Exception):
    """Asking this address again will not help."""


class BrokenOffError(Exception):
    """Asking again may help, after `wait_s` seconds if the server named a pause."""

    def __init__(self, reason: str, wait_s: float | None = None):
        self.wait_s = wait_s
        super().__init__(reason)


class Unreachable(BrokenOffError):
    """There was no connection: no network, no such host, nobody listens there."""


def transfer(url: str, part: Path, limits: Limits) -> bool:
    """Bring `url` into `part`; return whether an earlier part was continued.

    A part is continued only if it came from the same address and the server confirms by ETag or
    Last-Modified that the file is still the same (RFC 9110, sections 13.1.5 and 14).

    Raises:
        Refused: not found, no access, a web page instead of the file, a bad address.
        BrokenOffError: time-out, broken or stalled connection, short body, busy server.
        OSError: if `part` cannot be written.
    """
    if urlsplit(url).scheme == "file":
        _copy(url, part)
        return False
    validator = validator_of(part, url)
    done = part.stat().st_size if validator else 0
    headers = {"User-Agent": f"physiome/{physiome.__version__}", "Accept-Encoding": "identity"}
    if validator and done:
        headers |= {"Range": f"bytes={done}-", "If-Range": validator}
    timeouts_s = (limits.connect_timeout_s, limits.timeout_s)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeouts_s) as response:
            _check_status(response, part)
            start = _start_of(response, part, validator, done)
            _receive(response, part, url, start, limits)
    except HOPELESS as error:
        raise Refused(str(error)) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        kind = Unreachable if _never_connected(error) else BrokenOffError
        raise kind(_short(error)) from None
    return start > 0


def _copy(url: str, part: Path) -> None:
    drop(part)
    source = Path(url2pathname(unquote(urlsplit(url).path)))
    if not source.is_file():
        raise Refused("no such file")
    if not os.access(source, os.R_OK):
        raise Refused("file may not be read")
    shutil.copyfile(source, part)


def _check_status(response: requests.Response, part: Path) -> None:
    status = response.status_code
    if status == 416:  # what we hold is not a beginning of the file
        drop(part)
        raise BrokenOffError("HTTP 416: starting over")
    if status in RETRYABLE:
        raise BrokenOffError(f"HTTP {status} {response.reason}", _asked_pause(response))
    if status not in (200, 206):
        raise Refused(f"HTTP {status} {response.reason}")
    if response.headers.get("Content-Type", "").startswith(("text/html", "application/xhtml")):
        raise Refused(f"a web page came instead of the file (from {response.url})")


def _asked_pause(response: requests.Response) -> float | None:
    seconds = response.headers.get("Retry-After", "")
    return min(float(seconds), LONGEST_WAIT_S) if seconds.isdecimal() else None


def _start_of(response: requests.Response, part: Path, validator: str | None, done: int) -> int:
    """Where in the file the body begins: 0, or the part's size if the server continues it."""
    if response.status_code == 200:
        return 0
    given = re.match(r"bytes (\d{1,18})-", response.headers.get("Content-Range", ""))
    current = _strong_validator(response)  # the same header that `validator` was taken from
    changed = current is not None and validator is not None and current != validator
    if not done or given is None or int(given[1]) != done or changed or _is_encoded(response):
        drop(part)
        raise BrokenOffError("server continued another file or place: starting over")
    return done


def _receive(response: requests.Response, part: Path, url: str, start: int, limits: Limits) -> None:
    total = _total(response, start)
    if start == 0:
        begin(part, url, _strong_validator(response))
    log.info("fetch url=%s from_byte=%d total_bytes=%s", url, start, total)
    with (
        open(part, "ab" if start else "wb") as file,
        Meter(url, start, total, limits.heartbeat_s) as meter,
    ):
        for piece in _pieces(response, limits.timeout_s):
            file.write(piece)
            meter.add(len(piece))
    with open(part, "rb") as file:
        page = looks_like_page(file.read(HEAD))
    if page:
        drop(part)
        raise Refused(f"a web page came instead of the file (from {response.url})")
    if total is not None and meter.done != total:
        if meter.done > total:
            drop(part)
        raise BrokenOffError(f"{meter.done} of {total} bytes came")


def _pieces(response: requests.Response, timeout_s: float) -> Iterator[bytes]:
    """The body as it comes, so that nothing that came is lost when the connection breaks.

    Raises:
        BrokenOffError: if less than a piece came in `timeout_s`. A server that sends a byte now and
            then would never exceed the time-out of the socket.
    """
    came, since = 0, time.monotonic()
    while piece := response.raw.read1(PIECE, decode_content=True):
        yield piece
        came += len(piece)
        passed_s = time.monotonic() - since
        if passed_s > timeout_s:
            if came < PIECE:
                raise BrokenOffError(f"transfer stalled: {came} bytes came in {passed_s:.1f} s")
            came, since = 0, time.monotonic()


def _total(response: requests.Response, start: int) -> int | None:
    """Bytes of the whole file, if the server says."""
    length = response.headers.get("Content-Length", "")
    plain = re.fullmatch(r"\d{1,18}", length) and not _is_encoded(response)
    return start + int(length) if plain else None


def _is_encoded(response: requests.Response) -> bool:
    return response.headers.get("Content-Encoding", "identity") != "identity"


def _strong_validator(response: requests.Response) -> str | None:
    etag = response.headers.get("ETag")
    if _is_encoded(response):
        return None  # the part holds decoded bytes: their number is no place in the body
    if etag and not etag.startswith("W/"):
        return etag
    return response.headers.get("Last-Modified")


def _never_connected(error: Exception) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    new = isinstance(reason, urllib3.exceptions.NewConnectionError)
    return isinstance(error, ConnectTimeout) or (isinstance(error, ConnectionError) and new)


def _short(error: Exception) -> str:
    """An error of requests without the nested repetition of the address."""
    inner: object = error
    while isinstance(inner, Exception):
        inner = getattr(inner, "reason", None) or (inner.args[0] if inner.args else str(inner))
    return f"{type(error).__name__}: {inner}"
