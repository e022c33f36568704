"""Fetching a bundle from the Hugging Face hub, by its address."""

import re
from pathlib import Path

from physiome.errors import DataError
from physiome.predict.bundle.contents import CARD, NAME

SCHEME = "hf://"
ADDRESS = re.compile(r"hf://(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[\w./-]+))?")
# Nothing else is fetched, whatever else lies there.
FETCHED = [NAME, CARD, "fold*/*.safetensors", "fold*/*.heads.npz"]


def download(address: str) -> Path:
    """The folder of the files of `hf://owner/name[@revision]`, in the library's own cache.

    Raises:
        DataError: not such an address, or it cannot be fetched.
    """
    parts = ADDRESS.fullmatch(address)
    if parts is None:
        raise DataError("not a hub's address", where=address, do="give hf://owner/name[@revision]")
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            parts["repo"], revision=parts["revision"], allow_patterns=FETCHED
        )
    except (OSError, ValueError) as error:  # the library's errors are of these
        raise DataError(
            "cannot be fetched from the hub",
            where=address,
            why=" ".join(str(error).split())[:300],
            do="check the name, the revision and the network; "
            "`hf auth login` for what is not public",
        ) from None
    return Path(folder)
