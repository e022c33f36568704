"""Files that are either whole or not there: atomic writes, hashes, JSON in one fixed order."""

import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from physiome.errors import DataError, PhysioError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
SHORT = re.compile(r"\d+ requested and \d+ written")  # of numpy, which gives no number
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
# Processes on other machines write to the same folders, and their numbers say nothing here.
HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]


@contextlib.contextmanager
def atomic_path(path: str | Path, needed_bytes: int | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk and move it into place.

    On any error the temporary file is removed and an older file at `path` stays as it was. What a
    killed process of this machine left of `path` is removed too.

    Args:
        needed_bytes: how large the file will be, where that is known before.

    Raises:
        PhysioError: if the disk is full or the folder must not be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{HOST}.{os.getpid()}.tmp")
    try:
        with write_errors(path, needed_bytes, temporary):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_orphans(path)
            yield temporary
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)
    finally:
        if temporary.exists():
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def write_errors(
    path: Path, needed_bytes: int | None = None, temporary: Path | None = None
) -> Iterator[None]:
    """Turn the errors of a full disk or a forbidden folder into one for the reader.

    Args:
        temporary: what is written in place of `path`, and removed after an error.

    Raises:
        PhysioError: naming `path`, the bytes that are free and those needed, as far as known.
    """
    try:
        yield
    except PhysioError:
        raise
    except Exception as error:
        cause = _refusal(error)
        if cause is None:
            raise
        if cause.errno in FULL:
            raise _no_room(path, cause, needed_bytes, temporary) from error
        if Path(str(cause.filename)) not in (temporary, path, *path.parents):
            raise
        raise PhysioError(
            "file cannot be written",
            where=path,
            why=os.strerror(cause.errno or 0),
            do="check this folder and its permissions, or choose another one",
        ) from error


def _refusal(error: BaseException | None) -> OSError | None:
    """The system's refusal to write behind an error; torch hides it behind one of its own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL | FORBIDDEN:
            return error
        if isinstance(error, OSError) and SHORT.fullmatch(str(error)):
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None


def _no_room(path: Path, error: OSError, needed: int | None, temporary: Path | None) -> PhysioError:
    folder = next(p for p in path.absolute().parents if p.is_dir())
    free = shutil.disk_usage(folder).free
    wanted = "" if needed is None else f"{needed} bytes are needed, "
    if temporary is not None and temporary.exists():
        written = temporary.stat()
        free += 512 * written.st_blocks  # it is removed
        wanted = wanted or f"more than {written.st_size} bytes are needed, "
    return PhysioError(
        "file cannot be written",
        where=path,
        why=f"{os.strerror(error.errno or 0)}: {wanted}{free} are free",
        do="make room or choose another folder, then run again; older files are unchanged",
    )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _remove_orphans(path: Path) -> None:
    """Remove what killed processes of this machine left while writing `path`."""
    start, end = f".{path.name}.{HOST}.", ".tmp"
    for name in os.listdir(path.parent):
        number = name[len(start) : -len(end)]
        if name.startswith(start) and name.endswith(end) and re.fullmatch("[0-9]{1,9}", number):
            try:
                os.kill(int(number), 0)
            except ProcessLookupError:
                path.with_name(name).unlink(missing_ok=True)
            except PermissionError:
                continue  # alive, and someone else's


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def canonical_json(value: Any) -> str:
    """`value` as JSON text that is the same for equal values: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as readable JSON with sorted keys, atomically."""
    write_text(path, readable_json(value))


def readable_json(value: Any) -> str:
    """`value` as JSON text in lines, with sorted keys and no NaN."""
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n"


def read_json(path: str | Path, *keys: str) -> dict[str, Any]:
    """The JSON object in `path`, of which `keys` will be read.

    Raises:
        DataError: if the file is missing, is not JSON, holds no object or lacks one of the keys.
    """
    again = f"add --forcerun {path} to make it again"
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError("file is missing", where=path, do="run the step that writes it") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            "file is not valid JSON",
            where=path,
            why=str(error),
            do=again,
        ) from None
    if not isinstance(found, dict):
        why = f"it holds a {type(found).__name__}, no object with keys"
        raise DataError("file is none that the workflow wrote", where=path, why=why, do=again)
    if lacking := set(keys) - set(found):
        why = f"it has no {', '.join(sorted(lacking))}"
        raise DataError("file is none that the workflow wrote", where=path, why=why, do=again)
    return found


def sums(*paths: Path) -> dict[str, str]:
    """SHA-256 of files by their names: what a JSON beside them notes as `sha256`."""
    return {path.name: file_digest(path) for path in paths}


def read_noted(path: str | Path) -> Any:
    """As `read_json`; the files beside it whose sums it notes as `sha256` must have them.

    Raises:
        DataError: the JSON is missing or is none; a file was altered since it was written.
    """
    noted = read_json(path)
    for name, wanted in (noted.get("sha256") or {}).items():
        file = Path(path).with_name(name)
        if not file.exists():
            raise DataError(
                "file is missing",
                where=file,
                why=f"{path} belongs to it",
                do=f"add --forcerun {path} to make it again",
            )
        found = file_digest(file)
        if found != wanted:
            raise DataError(
                "file was altered after it was written",
                where=file,
                why=f"sha256 {wanted} noted in {path}, {found} found",
                do=f"add --forcerun {path} to make it again",
            )
    return noted


def digest(value: Any) -> str:
    """A short hash of any JSON value, for telling settings apart."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]


def file_digest(path: str | Path, algorithm: str = "sha256") -> str:
    """Hexadecimal hash of a file's bytes, read in pieces."""
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest()
