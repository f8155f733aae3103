"""What a file is packed in: .gz, .zip with one member, .xlsx. Nothing is unpacked before it is known to be small."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from behaviour.core.parsing import TableError

HEAD_BYTES = 256_000
READ_BYTES = 1 << 20
# Bytes without a line break, and bytes in all, above which a file is no table but a bomb.
LONGEST_LINE, LARGEST_UNPACKED = 2 << 20, 20_000_000_000
# No table shrinks to less than that; above so many bytes it is looked at.
HIGHEST_RATIO, SMALL = 200, 100_000_000
# What reading a damaged or cut-off packing raises.
DAMAGE = (
    OSError, EOFError, zipfile.BadZipFile, zlib.error, struct.error, ValueError, NotImplementedError, RuntimeError,
)  # fmt: skip
GZIP, ZIP, OLE = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06"), b"\xd0\xcf\x11\xe0"
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")


@contextmanager
def damage_named(*more: type[Exception]) -> Iterator[None]:
    """Turn whatever reading a damaged file raises into the one error that says so."""
    try:
        yield
    except TableError:
        raise
    except Exception as error:
        if not isinstance(error, (*DAMAGE, *more)):
            raise
        raise TableError("damaged") from error


def unpacked(file: BinaryIO) -> BinaryIO:
    """Return the stream of the table itself: the file, or the one file in a .gz or .zip."""
    magic = file.read(4)
    file.seek(0)
    if not magic:
        raise TableError("empty")
    if magic[:2] == GZIP:
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    return _only_member(file) if magic in ZIP else file


def head_of(file: BinaryIO) -> bytes:
    """Return the first 256 kB of the table.

    Raises
    ------
    TableError : empty, damaged, or something else than a table.
    """
    with damage_named():
        head = unpacked(file).read(HEAD_BYTES)
    file.seek(0)
    start = head[:1000].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if head.startswith(b"%PDF"):
        raise TableError("pdf")
    if head.startswith(OLE):
        raise TableError("old_spreadsheet")
    if head.startswith(PICTURES) and not head[:64].isascii():
        raise TableError("picture")
    if start.startswith((b"<!doctype html", b"<html")):
        raise TableError("web_page")
    if head.startswith((GZIP, *ZIP)):
        raise TableError("packed_twice")
    return head


def is_workbook(file: BinaryIO) -> bool:
    """Say whether the file is an .xlsx.

    Raises
    ------
    TableError : another kind of spreadsheet or document; damaged.
    """
    magic = file.read(4)
    file.seek(0)
    if magic not in ZIP:
        return False
    names = {info.filename for info in archive_of(file).infolist()}
    file.seek(0)
    if "xl/workbook.xml" in names:
        return True
    if names & {"[Content_Types].xml", "mimetype"}:
        raise TableError("spreadsheet")
    return False


def archive_of(file: BinaryIO) -> zipfile.ZipFile:
    """Open a .zip whose members may be read: not too large, none locked, none outside its folder."""
    with damage_named():
        archive = zipfile.ZipFile(file)
    members = archive.infolist()
    size, packed = sum(info.file_size for info in members), sum(info.compress_size for info in members)
    if size > LARGEST_UNPACKED:
        raise TableError("too_large_unpacked")
    refuse_bomb(size, packed)
    if any(info.filename.startswith(("/", "\\")) or ".." in info.filename.split("/") for info in members):
        raise TableError("zip_path")
    if any(info.flag_bits & 0x1 for info in members):
        raise TableError("zip_password")
    return archive


def refuse_bomb(size: int, packed: int) -> None:
    """Refuse what unpacks to hundreds of times its size."""
    if size > SMALL and size > HIGHEST_RATIO * max(packed, 1):
        raise TableError("bomb")


def _only_member(file: BinaryIO) -> BinaryIO:
    archive = archive_of(file)
    names = [info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")]
    if len(names) != 1:
        raise TableError("zip_members", n=len(names))
    with damage_named():
        return archive.open(names[0])  # type: ignore[return-value]


def read_through(file: BinaryIO, *, by_lines: bool = True) -> bytes:
    """Read the table to its end, so that a damaged or endless one is refused before anything is loaded.

    Parameters
    ----------
    by_lines : its rows stand on lines of their own.

    Returns
    -------
    The first megabyte in which anything but ASCII stands, which tells the encoding.

    Raises
    ------
    TableError : damaged, cut off, or without line breaks; far too large when unpacked.
    """
    size = unbroken = 0
    telling = b""
    packed = file.seek(0, io.SEEK_END)
    file.seek(0)
    with damage_named():
        text = unpacked(file)
        while block := text.read(READ_BYTES):
            size += len(block)
            unbroken = _unbroken(block, unbroken) if by_lines else 0
            if not telling and not block.isascii():
                telling = block
            if size > LARGEST_UNPACKED:
                raise TableError("too_large_unpacked")
            refuse_bomb(size, packed)
    return telling


def _unbroken(block: bytes, before: int) -> int:
    """Return how many bytes since the last line break; refuse a line that does not end."""
    first = min((at for at in (block.find(b"\n"), block.find(b"\r")) if at >= 0), default=-1)
    if before + (len(block) if first < 0 else first) > LONGEST_LINE:
        raise TableError("endless_line")
    if first < 0:
        return before + len(block)
    return len(block) - 1 - max(block.rfind(b"\n"), block.rfind(b"\r"))
