"""Whether raw files still are what the fetch step verified.

The fetch step notes the SHA-256 of every file of a usable record. It is the only sum there is of a
file whose publisher gives none (`.vital`, one's own recordings), so it also tells of changes that
leave a file readable.
"""

from dataclasses import replace
from pathlib import Path

from physiome.data.formats.companions import companions
from physiome.data.recording import RawRecord
from physiome.errors import PhysioError
from physiome.files import file_digest, read_json


class AlteredFileError(PhysioError):
    """A raw file is not what the fetch step verified: nothing may be computed from it."""


def with_digests(record: RawRecord) -> RawRecord:
    """The record with the SHA-256 of its files; one that cannot be read is its problem."""
    if record.problem is not None:
        return record
    try:
        states = states_of(record)  # first: of a file written to meanwhile, the state differs
        sums = {path: file_digest(path) for path in states}
    except OSError as error:
        return replace(record, problem=f"file cannot be read - {error}")
    return replace(record, sha256=sums, states=states)


def states_of(record: RawRecord) -> dict[str, list[int]]:
    """Path -> bytes and time of the last change in ns, of every file of the record."""
    found = {path: path.stat() for path in _files_of(record)}
    return {str(path): [now.st_size, now.st_mtime_ns] for path, now in found.items()}


def check_unaltered(record: RawRecord, raw_json: object = "(the JSON of its batch)") -> None:
    """Compare the record's files with the sums noted for them. Without noted sums: no check.

    Args:
        raw_json: what the fetch step wrote, where the sums are from; for the message.

    Raises:
        AlteredFileError: naming the first file that is missing or altered, with both sums.
    """
    for path, noted in record.sha256.items():
        found = _digest_or_none(path)
        if found != noted:
            raise AlteredFileError(
                f"raw file of record {record.record} "
                + ("is missing" if found is None else "was altered after it was fetched"),
                where=path,
                why=f"sha256 {noted} expected" + (f", {found} found" if found else ""),
                do=f"run the same command with --forcerun {raw_json} to accept the change; delete "
                "the file before, to fetch it anew",
            )


def altered_files(raw_json: Path) -> list[str]:
    """What is wrong with the raw files of one batch, one line a file; empty if nothing is.

    Args:
        raw_json: what the fetch step wrote. Paths in it are relative to the working directory.

    Raises:
        DataError: if `raw_json` is missing or is not JSON.
    """
    lines = []
    for record in read_json(raw_json, "records")["records"]:
        for path, noted in record.get("sha256", {}).items():
            found = _digest_or_none(path)
            if found is None:
                lines.append(f"{path}: missing - sha256 {noted} was fetched")
            elif found != noted:
                lines.append(f"{path}: altered - sha256 {noted} was fetched, {found} found")
    return lines


def _digest_or_none(path: str) -> str | None:
    return file_digest(path) if Path(path).is_file() else None


def _files_of(record: RawRecord) -> list[Path]:
    """Files of the record that are there, with those that its main file names."""
    signals = Path(record.signals)
    paths = [signals, *([Path(record.annotations)] if record.annotations else [])]
    paths += companions(signals)
    return [path for path in dict.fromkeys(paths) if path.is_file()]
