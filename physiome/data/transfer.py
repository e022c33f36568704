"""One attempt to bring a file from an address into its `.part` file, resuming where it can."""

import logging
import re
import shutil
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import requests

import physiome
from physiome.data.checks import looks_like_page
from physiome.errors import DataError
from physiome.files import read_json, write_json

log = logging.getLogger(__name__)
PIECE = 1 << 14  # what is lost of a broken transfer: an incomplete piece is not handed over
HEARTBEAT_S = 30.0
RETRYABLE = {408, 425, 429, 500, 502, 503, 504}
LONGEST_WAIT_S = 120.0  # a server that asks for a longer pause gets this one
HOPELESS = (
    requests.exceptions.SSLError, requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema,
    requests.exceptions.TooManyRedirects,
)  # fmt: skip


class Refused(Exception):
    """Asking this address again will not help."""


class Interrupted(Exception):
    """Asking again may help, after `wait_s` seconds if the server named a pause."""

    def __init__(self, reason: str, wait_s: float | None = None):
        self.wait_s = wait_s
        super().__init__(reason)


def transfer(url: str, part: Path, timeout_s: float) -> bool:
    """Bring `url` into `part`; return whether an earlier part was continued.

    A part is continued only if it came from the same address and the server confirms by ETag or
    Last-Modified that the file is still the same (RFC 9110, sections 13.1.5 and 14).

    Raises:
        Refused: not found, no access, a web page instead of the file, a bad address.
        Interrupted: time-out, broken connection, short body, busy server.
        OSError: if `part` cannot be written.
    """
    if urlsplit(url).scheme == "file":
        _copy(url, part)
        return False
    validator = _validator_of(part, url)
    done = part.stat().st_size if validator else 0
    headers = {"User-Agent": f"physiome/{physiome.__version__}", "Accept-Encoding": "identity"}
    if validator and done:
        headers |= {"Range": f"bytes={done}-", "If-Range": validator}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout_s) as response:
            _check_status(response, part)
            start = _start_of(response, part, validator, done)
            _receive(response, part, url, start)
    except HOPELESS as error:
        raise Refused(str(error)) from None
    except requests.RequestException as error:
        raise Interrupted(_short(error)) from None
    return start > 0


def drop(part: Path) -> None:
    """Forget what was received."""
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)


def _copy(url: str, part: Path) -> None:
    drop(part)
    source = Path(url2pathname(unquote(urlsplit(url).path)))
    if not source.is_file():
        raise Refused("no such file")
    shutil.copyfile(source, part)


def _check_status(response: requests.Response, part: Path) -> None:
    status = response.status_code
    if status == 416:  # what we hold is not a beginning of the file
        drop(part)
        raise Interrupted("HTTP 416: starting over")
    if status in RETRYABLE:
        raise Interrupted(f"HTTP {status} {response.reason}", _asked_pause(response))
    if status not in (200, 206):
        raise Refused(f"HTTP {status} {response.reason}")
    if response.headers.get("Content-Type", "").startswith(("text/html", "application/xhtml")):
        raise Refused(f"a web page came instead of the file (from {response.url})")


def _asked_pause(response: requests.Response) -> float | None:
    seconds = response.headers.get("Retry-After", "")
    return min(float(seconds), LONGEST_WAIT_S) if seconds.isdigit() else None


def _start_of(response: requests.Response, part: Path, validator: str | None, done: int) -> int:
    """Where in the file the body begins: 0, or the part's size if the server continues it."""
    if response.status_code == 200:
        return 0
    given = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    current = response.headers.get("ETag") or response.headers.get("Last-Modified")
    changed = current is not None and validator is not None and current != validator
    if not done or given is None or int(given[1]) != done or changed:
        drop(part)
        raise Interrupted("server continued another file or place: starting over")
    return done


def _receive(response: requests.Response, part: Path, url: str, start: int) -> None:
    total = _total(response, start)
    if start == 0:
        drop(part)
        if validator := _strong_validator(response):
            write_json(_note_of(part), {"url": url, "validator": validator})
    done, beat = start, time.monotonic()
    log.info("fetch url=%s from_byte=%d total_bytes=%s", url, start, total)
    with open(part, "ab" if start else "wb") as file:
        for piece in response.iter_content(PIECE):
            if done == 0 and looks_like_page(piece):
                drop(part)
                raise Refused(f"a web page came instead of the file (from {response.url})")
            file.write(piece)
            done += len(piece)
            if time.monotonic() - beat > HEARTBEAT_S:
                beat = time.monotonic()
                log.info("fetch url=%s bytes=%d total_bytes=%s", url, done, total)
    if total is not None and done != total:
        if done > total:
            drop(part)
        raise Interrupted(f"{done} of {total} bytes came")


def _total(response: requests.Response, start: int) -> int | None:
    """Bytes of the whole file, if the server says."""
    length = response.headers.get("Content-Length", "")
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    return start + int(length) if length.isdigit() and not encoded else None


def _strong_validator(response: requests.Response) -> str | None:
    etag = response.headers.get("ETag")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None  # the part holds decoded bytes: their number is no place in the body
    if etag and not etag.startswith("W/"):
        return etag
    return response.headers.get("Last-Modified")


def _note_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _validator_of(part: Path, url: str) -> str | None:
    """The validator under which `part` was begun, if it was begun from this address."""
    if not part.exists() or not _note_of(part).exists():
        return None
    try:
        note = read_json(_note_of(part))
    except DataError:
        return None
    return note.get("validator") if note.get("url") == url else None


def _short(error: Exception) -> str:
    """An error of requests without the nested repetition of the address."""
    inner: object = error
    while isinstance(inner, Exception):
        inner = getattr(inner, "reason", None) or (inner.args[0] if inner.args else str(inner))
    return f"{type(error).__name__}: {inner}"
