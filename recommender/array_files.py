"""Arrays in files that several processes read: named by their content, and gone when nobody needs them any more."""

import hashlib
import tempfile
import zipfile
from typing import IO

import numpy as np
from django.core.files import File
from django.core.files.storage import default_storage

from mailai.errors import ArtefactError
from recommender.core.dividing import Arrays

FOLDER = "artefacts/parts"


def write(prefix: str, arrays: Arrays) -> str:
    """Write arrays through Django's storage and return the name of the file, which holds the SHA-256 of its content.

    Equal arrays have one file. What a killed worker or a full disk left half-written there is written again.
    """
    with tempfile.TemporaryFile() as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
        name = f"{FOLDER}/{prefix}-{_sha256(file)}.npz"
        if default_storage.exists(name):
            if _whole(name):
                return name
            default_storage.delete(name)
        return default_storage.save(name, File(file))


def read(name: str) -> Arrays:
    """Return the arrays of a file.

    Raises
    ------
    ArtefactError : it is missing, or not what was written.
    """
    try:
        with default_storage.open(name) as file:
            if f"-{_sha256(file)}" not in name:
                raise ArtefactError(f"{name} was changed.")
            with np.load(file, allow_pickle=False) as found:
                return {key: found[key] for key in found.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ArtefactError(f"{name} can't be read.") from error


def delete(names: set[str]) -> None:
    """Delete files, those that are gone already too."""
    for name in names - {""}:
        default_storage.delete(name)


def _whole(name: str) -> bool:
    try:
        with default_storage.open(name) as file:
            return f"-{_sha256(file)}" in name
    except OSError:
        return False


def _sha256(file: IO[bytes]) -> str:
    file.seek(0)
    found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    return found
