"""Opening a bundle, a folder, a zip or a hub's address: every file is checked before its use."""

import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from physiome.errors import DataError
from physiome.files import file_digest, read_json
from physiome.predict.bundle.contents import CARD, NAME, Contents
from physiome.predict.bundle.hub import SCHEME, download
from physiome.predict.locate import Folds, choose
from physiome.predict.members import Pair

# Nothing else belongs in a bundle, so nothing can lead out of it.
ALLOWED = re.compile(r"fold[0-9]{1,4}/\w[\w.-]*\.(safetensors|heads\.npz)|" + re.escape(CARD))
PASSED_OVER = {".git", ".gitattributes", ".cache"}  # what hubs and git put beside; nothing reads it
LARGEST = 10 << 20  # bytes of bundle.json
AGAIN = "fetch the bundle again, or export it again"
# What zipfile raises on a file that is none, or packed in a way it does not know
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files have the sums that it states.

    Attributes:
        source: as it was named.
        root: the folder its files are in, for as long as it is open.
        sha256: of its bundle.json, which states the sums of all others: one for the whole.
    """

    source: str
    root: Path
    contents: Contents
    sha256: str

    def pairs(self, folds: Folds = None) -> list[Pair]:
        """Heads and weights of the folds asked for; by default of the first."""
        known = {int(number): files for number, files in self.contents.folds.items()}
        chosen = choose(folds, sorted(known), self.contents.method, self.source)
        found = [known[fold] for fold in chosen]
        return [
            Pair(self.root / one.heads, self.root / one.weights if one.weights else None)
            for one in found
        ]


def is_bundle(where: str | Path) -> bool:
    """Whether this names a bundle and not, say, a run."""
    address, path = str(where), Path(where)
    return address.startswith(SCHEME) or path.suffix == ".zip" or (path / NAME).is_file()


@contextmanager
def open_bundle(where: str | Path) -> Iterator[Bundle]:
    """The bundle, checked. A zip is unpacked into a temporary folder, which goes in the end.

    Args:
        where: a folder, a .zip, or hf://owner/name[@revision].

    Raises:
        DataError: there is none, or a file of it is missing, too many, or was changed.
    """
    source = str(where)
    if source.startswith(SCHEME):
        yield _checked(download(source), source)
        return
    path = Path(where)
    if path.is_dir():
        yield _checked(path, source)
        return
    if not path.exists():
        raise DataError("there is no such bundle", where=source, do="name a folder or a .zip")
    with tempfile.TemporaryDirectory(prefix="physiome-") as temporary:
        _unpack(path, Path(temporary))
        yield _checked(Path(temporary), source)


def _checked(root: Path, source: str) -> Bundle:
    """The bundle in a folder, if every file is as its contents say."""
    path = root / NAME
    if not path.is_file():
        raise DataError(f"no {NAME} in it", where=source, do="name what `physiome export` wrote")
    if path.stat().st_size > LARGEST:
        raise DataError(f"{NAME} is too large", where=source, why=f"{path.stat().st_size} bytes")
    contents = _contents(root, source)
    _refuse_other(set(contents.files), set(_names(root)) - {NAME}, source)
    for files in contents.folds.values():
        lacking = {files.heads, files.weights or files.heads} - set(contents.files)
        if lacking:
            raise DataError(f"{NAME} states no sum of {', '.join(sorted(lacking))}", where=source)
    for name, stated in contents.files.items():
        found = file_digest(root / name)
        if found != stated.sha256:
            raise DataError(
                f"{name} was changed after the export",
                where=source,
                why=f"sha256 {stated.sha256} stated in {NAME}, {found} found",
                do=AGAIN,
            )
    return Bundle(source, root, contents, file_digest(path))


def _contents(root: Path, source: str) -> Contents:
    try:
        plain = read_json(root / NAME)
    except DataError as error:  # whose advice is for results of the workflow
        what = f"not the {NAME} of a bundle"
        raise DataError(what, where=source, why=error.why, do=AGAIN) from None
    return Contents.read(plain, source)


def _refuse_other(stated: set[str], found: set[str], source: str) -> None:
    """The files there are must be those that the contents state."""
    missing, extra = sorted(stated - found), sorted(found - stated)
    _refuse_odd(stated, source)
    if extra:
        what = f"files that do not belong to it: {', '.join(extra[:3])}"
        raise DataError(what, where=source, why=f"{NAME} does not state them", do="remove them")
    if missing:
        raise DataError(f"files are missing: {', '.join(missing[:3])}", where=source, do=AGAIN)


def _refuse_odd(names: Iterable[str], source: str) -> None:
    odd = sorted(name for name in names if not ALLOWED.fullmatch(name))
    if odd:
        raise DataError(
            f"names that no bundle has: {', '.join(odd[:3])}",
            where=source,
            why=f"it has {NAME}, {CARD}, fold<n>/*.safetensors and fold<n>/*.heads.npz, each once",
            do="use none that others have packed; export it again",
        )


def _names(root: Path) -> Iterable[str]:
    """Every file below the folder, but what a hub or git put there."""
    for folder, folders, files in os.walk(root):
        below = Path(folder).relative_to(root)
        if below == Path():
            folders[:] = [name for name in folders if name not in PASSED_OVER]
            files = [name for name in files if name not in PASSED_OVER]
        yield from ((below / name).as_posix() for name in files)


def _unpack(path: Path, folder: Path) -> None:
    """Write a zip's files below `folder`: those that a bundle may have, of the sizes it states.

    Raises:
        DataError: it is none, or holds anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {one.filename: one for one in archive.infolist() if not one.is_dir()}
            names = [one.filename for one in archive.infolist() if not one.is_dir()]
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise DataError(f"{min(twice)} is in it twice", where=path, do=AGAIN)
            _refuse_odd(members.keys() - {NAME}, str(path))
            if NAME not in members or members[NAME].file_size > LARGEST:
                raise DataError(f"no {NAME} in it", where=path, do="zip a bundle's own files")
            _write(archive, NAME, folder)
            stated = _contents(folder, str(path)).files
            _refuse_other(set(stated), members.keys() - {NAME}, str(path))
            for name, file in stated.items():
                if members[name].file_size != file.bytes:
                    why = f"{file.bytes} bytes stated, {members[name].file_size} found"
                    what = f"{name} was changed after the export"
                    raise DataError(what, where=path, why=why, do=AGAIN)
                _write(archive, name, folder)
    except UNREADABLE as error:
        why = " ".join(str(error).split())
        raise DataError("not a zip of a bundle", where=path, why=why, do=AGAIN) from None


def _write(archive: zipfile.ZipFile, name: str, folder: Path) -> None:
    """Copy one member; the library ends at the size that the zip states of it."""
    (folder / name).parent.mkdir(exist_ok=True)
    with archive.open(name) as packed, open(folder / name, "wb") as plain:
        shutil.copyfileobj(packed, plain)
