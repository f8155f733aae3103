"""Which encoding a text is in, told by what its letters would be; and any text as UTF-8."""

import codecs
import io
import unicodedata
from collections.abc import Callable
from typing import BinaryIO

from behaviour.core.parsing import TableError

# What a person may choose from.
ENCODINGS = (
    "utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5", "cp932", "euc_kr", "cp1252", "cp1250", "cp1251",
)  # fmt: skip
MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# Below this the letters make no sense; two that lie so close fit both.
SENSIBLE, CLOSE = 0.6, 0.05
MOST_LETTERS = 4000
ENOUGH_HANGUL = 12
READ_CHARS = 1 << 20


def encoding_of(head: bytes, *, cut: bool = False) -> tuple[str, tuple[str, ...]]:
    """Return the encoding that fits best, and others that fit as well.

    Parameters
    ----------
    cut : the text goes on, so that its last character may be half.

    Raises
    ------
    TableError : not_text; encoding_unknown when nothing gives sensible letters.
    """
    for mark, name in MARKS:
        if head.startswith(mark):
            return name, ()
    if wide := _wide(head):
        return wide, ()
    if sum(byte < 9 or 13 < byte < 27 for byte in head[:4000]) > len(head[:4000]) / 100:
        raise TableError("not_text")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=not cut)
    except UnicodeDecodeError:
        return ("utf-8", ()) if _nearly_utf8(head) else _guessed(head, cut=cut)
    return "utf-8", ()


def _wide(head: bytes) -> str:
    """Return which UTF-16 a text without a mark is in: its ASCII letters and line breaks have a zero beside them."""
    even, odd = head[:4000:2], head[1:4000:2]
    pairs = head[: len(head) // 2 * 2]
    for name, zeros, others, breaks in (
        ("utf-16-le", odd, even, b"\n\0"),
        ("utf-16-be", even, odd, b"\0\n"),
    ):
        if not others.count(0) and zeros.count(0) > len(zeros) / 50 and breaks in pairs:
            return name
    return ""


def _nearly_utf8(head: bytes) -> bool:
    """Say whether all but a few bytes are UTF-8: then those are damaged, and their rows are refused.

    Two bytes are a character of UTF-8 now and then by accident, three hardly ever.
    """
    text = head.decode("utf-8", "replace")
    odd, right = text.count("\ufffd"), sum(char > "\x7f" and char != "\ufffd" for char in text)
    long = any("\u07ff" < char != "\ufffd" for char in text)
    return right >= odd if long else right > 4 * odd


def _guessed(head: bytes, *, cut: bool) -> tuple[str, tuple[str, ...]]:
    scores = {name: score for name, sense in SENSE.items() if (score := _score(head, name, sense, cut=cut)) >= SENSIBLE}
    if not scores:
        raise TableError("encoding_unknown")
    best = max(scores, key=lambda name: scores[name])
    if best == "gb18030" and scores.get("euc_kr", 0) == 1:
        # Hangul fills the front half of what common Chinese characters fill; so many are no accident.
        korean = sum("\uac00" <= char <= "\ud7a3" for char in head.decode("euc_kr", "ignore"))
        best = "euc_kr" if korean >= ENOUGH_HANGUL else best
    same = head.decode(best, "replace")
    near = (name for name in scores if name != best and scores[name] > scores[best] - CLOSE)
    # Central European letters fit nearly every Western text; the Western ones go before them.
    return best, tuple(
        name for name in near if (best, name) != ("cp1252", "cp1250") and head.decode(name, "replace") != same
    )


def _score(head: bytes, name: str, sense: Callable[[str, str, str], float], *, cut: bool) -> float:
    """Return the mean sense of the letters beyond ASCII; a byte that is none in this encoding has none."""
    decoder = codecs.getincrementaldecoder(name)("replace")
    text = " " + decoder.decode(head, final=not cut) + " "
    places = [at for at, char in enumerate(text) if char > "\x7f"][:MOST_LETTERS]
    if not places:
        return 0.0
    total = sum(-2.0 if text[at] == "\ufffd" else sense(text[at - 1], text[at], text[at + 1]) for at in places)
    return total / len(places)


def _european(letters: str, signs: str) -> Callable[[str, str, str], float]:
    def sense(before: str, char: str, after: str) -> float:
        if char in letters:
            # Few words hold two such letters side by side, none a capital behind a small one.
            lonely = (before < "\x80" or before in signs) or (after < "\x80" or after in signs)
            bent = char.isupper() and before.islower()
            return 0.2 if bent or not lonely or before.isdigit() or after.isdigit() else 1.0
        inside = before.isalpha() and after.isalpha() and char not in "’"
        return 0.9 if char in signs and not inside else 0.0

    return sense


def _cyrillic(before: str, char: str, after: str) -> float:
    if "а" <= char.lower() <= "я" or char in "ёЁ":
        bent = char.isupper() and before.islower()
        beside_latin = any(other.isascii() and other.isalpha() for other in (before, after))
        return 0.0 if bent or beside_latin else 1.0
    return 0.9 if char in "№«»–—“”„…" else 0.2


def _by_lead(name: str, common: tuple[int, int], rare: float) -> Callable[[str, str, str], float]:
    """Return the sense of characters of which the common ones have a lead byte in a range."""

    def sense(before: str, char: str, after: str) -> float:
        try:
            code = char.encode(name)
        except UnicodeEncodeError:
            return 0.0
        if "\uff61" <= char <= "\uff9f" or len(code) != 2:
            return 0.1
        if unicodedata.category(char)[0] in "PSZN" or "\u3040" <= char <= "\u30ff":
            return 0.9 if char in USUAL_SIGNS or "\u3040" <= char <= "\u30ff" else 0.3
        return 1.0 if common[0] <= code[0] <= common[1] else rare

    return sense


USUAL_SIGNS = "，。、；：？！“”‘’（）《》【】—…·￥％　「」『』～＋－／０１２３４５６７８９"
WESTERN = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœŒ"
CENTRAL = "ĄąĆćĘęŁłŃńÓóŚśŹźŻżČčĎďĚěŇňŘřŠšŤťŮůÚúÝýÁáÉéÍíŐőŰűÖöÜüÄäßŞşŢţĂăÂâÎîĽľĹĺŔŕÔôÇçËëĐđ"
CENTRAL_SIGNS = "€§©®™°±«»“”‘’„‚–—…•·\xa0×"
WESTERN_SIGNS = "€£¥§©®™°±²³½¼¾«»“”‘’„‚–—…•·´¿¡ªº\xa0×"
SENSE: dict[str, Callable[[str, str, str], float]] = {
    "cp1252": _european(WESTERN, WESTERN_SIGNS),
    "cp1250": _european(CENTRAL, CENTRAL_SIGNS),
    "cp1251": _cyrillic,
    "gb18030": _by_lead("gb2312", (0xB0, 0xD7), 0.5),
    "big5": _by_lead("big5", (0xA4, 0xC6), 0.2),
    "cp932": _by_lead("cp932", (0x88, 0x97), 0.2),
    "euc_kr": _by_lead("euc_kr", (0xB0, 0xC8), 0.0),
}  # fmt: skip


class _Recoded(io.RawIOBase):
    """A stream in any encoding, read as UTF-8; what is no character in it becomes U+FFFD."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def read(self, size: int = -1) -> bytes:
        """Return some bytes; empty at the end only."""
        while True:
            block = self._stream.read(READ_CHARS)
            text = self._decoder.decode(block, final=not block)
            if text or not block:
                return text.encode("utf-8", "replace")


def as_utf8(stream: BinaryIO, encoding: str) -> BinaryIO:
    """Return the stream as UTF-8 without a mark at its start."""
    if encoding == "utf-8":
        return stream
    if encoding == "utf-8-sig":
        stream.read(3)
        return stream
    return _Recoded(stream, encoding)  # type: ignore[return-value]
