"""How a file is read: what was seen in it, what a person says about it, and what is still to be asked."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from behaviour import tables
from behaviour.core import sniffing
from behaviour.core.columns import Match
from behaviour.core.encodings import ENCODINGS
from behaviour.core.parsing import Block, TableError
from behaviour.core.shapes import DELIMITERS
from behaviour.models import Shop, Upload
from behaviour.upload_words import problem_text, question_text
from mailai.errors import InputError, StateError

State = Upload.State
LONGEST_SAMPLE = 40
# What a person decided about the columns; it means nothing once the file is read in another way.
DECIDED = ("columns", "events", "answers")


def understand(upload: Upload) -> Match:
    """Settle kind, layout and how cells are meant, from the header and the first rows; not saved.

    ``mapping`` holds then: ``notes`` (what is odd about the header), ``seen`` (formats that the cells show),
    ``questions`` (what they don't tell), ``day_first`` and ``decimal`` (by the answers, else as seen).

    Raises
    ------
    TableError : there are no rows.
    """
    block = tables.sample_block(upload)
    if not len(block):
        raise TableError("no_rows")
    with tables.open_table(upload) as table:
        header, match, notes = table.header, table.match, table.notes
    upload.kind, upload.layout = match.kind, match.layout
    seen = sniffing.seen(block, match)
    upload.mapping |= {
        "zone": upload.mapping.get("zone") or Shop.current().timezone,
        "currency": upload.mapping.get("currency") or Shop.current().currency,
        "notes": notes,
        "seen": seen,
        "questions": [
            *_encoding_question(upload.mapping.get("shape", {}), block),
            *(question.stored(header) for question in sniffing.questions(block, match)),
        ],
    }
    _settle(upload)
    return match


def _settle(upload: Upload) -> None:
    """Say how cells are read: as a person answered, else as seen."""
    said = upload.mapping["seen"] | upload.mapping.get("answers", {})
    upload.mapping |= {
        "day_first": said.get("date_order") != sniffing.MONTH_FIRST,
        "decimal": said.get("decimal", ""),
    }


def _encoding_question(shape: Mapping[str, Any], block: Block) -> list[dict[str, Any]]:
    """Ask which letters are right when several encodings give sensible ones; the samples stand in their order."""
    if not shape.get("unsure"):
        return []
    choices = [shape["encoding"], *shape["unsure"]]
    cells = (cell for row in block.frame.drop("line").iter_rows() for cell in row)
    cell = next((cell for cell in cells if not cell.isascii()), "")[:LONGEST_SAMPLE]
    raw = cell.encode(shape["encoding"], "replace")
    samples = [raw.decode(name, "replace") for name in choices]
    return [{"code": "encoding", "column": "", "samples": samples, "choices": choices, "default": choices[0]}]


def unanswered(upload: Upload) -> list[dict[str, Any]]:
    """Return the questions that nobody has answered yet."""
    answers = upload.mapping.get("answers", {})
    return [question for question in upload.mapping.get("questions", []) if question["code"] not in answers]


def unanswered_text(upload: Upload) -> str:
    """Return the sentence that asks the first open question; "" when none is open."""
    return next((question_text(question) for question in unanswered(upload)), "")


def defaults(upload: Upload) -> dict[str, str]:
    """Return the more common answer to each open question."""
    return {question["code"]: question["default"] for question in unanswered(upload)}


def take_answers(upload: Upload, answers: Mapping[str, Any]) -> None:
    """Take answers to the questions that this file asks; not saved. An empty one opens its question again.

    Raises
    ------
    InputError : one is none of the choices.
    """
    asked = {question["code"]: question["choices"] for question in upload.mapping.get("questions", [])}
    given = upload.mapping.get("answers", {}) | {code: str(choice) for code, choice in answers.items()}
    given = {code: choice for code, choice in given.items() if choice and code in asked}
    for code, choice in given.items():
        if choice not in asked[code]:
            raise InputError(
                _("“%(answer)s” is no answer. Choose one of: %(choices)s.")
                % {"answer": choice, "choices": ", ".join(asked[code])}
            )
    upload.mapping["answers"] = given
    _settle(upload)


def reread(upload: Upload, answers: Mapping[str, Any]) -> None:
    """Read the file in the encoding that was answered; not saved.

    Raises
    ------
    InputError : the file does not ask for it, or is no table then.
    """
    encoding = answers.get("encoding")
    shape = upload.mapping.get("shape", {})
    if not encoding or not shape.get("unsure"):
        return
    if encoding not in (shape["encoding"], *shape["unsure"]):
        raise InputError(_("There is no encoding “%(name)s”.") % {"name": encoding})
    upload.mapping["shape"] = _looked(upload, encoding, "")


def _looked(upload: Upload, encoding: str, delimiter: str) -> dict[str, Any]:
    try:
        return tables.look(upload, encoding=encoding, delimiter=delimiter).stored()
    except TableError as error:
        raise InputError(problem_text(error)) from error


def answer(upload: Upload, answers: Mapping[str, Any]) -> Upload:
    """Answer what the file does not tell: ``{"date_order": "day_first", "decimal": ",", "encoding": "gb18030"}``.

    Raises
    ------
    InputError : an answer is none of the choices. StateError : the import has begun.
    """
    if answers.get("encoding"):
        reread(upload, answers)
        understand(upload)
    take_answers(upload, answers)
    return keep(upload)


def reshape(upload: Upload, *, encoding: str = "", delimiter: str = "") -> Upload:
    """Read the file in another encoding, or with another separator; what was decided about its columns is dropped.

    Empty = as seen.

    Raises
    ------
    InputError : there is no such encoding or separator, or the file is no table then.
    StateError : the import has begun.
    """
    if encoding and encoding not in ENCODINGS:
        raise InputError(_("There is no encoding “%(name)s”.") % {"name": encoding})
    if delimiter and delimiter not in DELIMITERS:
        raise InputError(_("A separator is a comma, a semicolon, a tab or a line: , ; TAB |"))
    upload.refresh_from_db()
    try:
        kept = {name: value for name, value in upload.mapping.items() if name not in DECIDED}
        upload.mapping = kept | {"shape": _looked(upload, encoding, delimiter)}
        understand(upload)
    except TableError as error:
        raise InputError(problem_text(error)) from error
    return keep(upload)


def keep(upload: Upload) -> Upload:
    """Save how the file is read and cleaned; what a check found in another reading is dropped.

    Raises
    ------
    StateError : the import has begun.
    """
    changes: dict[str, Any] = {"state": State.RECEIVED, "preview": {}, "heartbeat_at": None, "checkpoint": {}}
    changes |= {
        "mapping": upload.mapping,
        "cleaning": upload.cleaning,
        "kind": upload.kind,
        "layout": upload.layout,
    }
    if Upload.objects.filter(pk=upload.pk, state__in=[State.RECEIVED, State.CHECKED]).update(**changes) != 1:
        raise StateError(_("The import has begun in the meantime. Stop and undo it to choose other columns."))
    upload.refresh_from_db()
    return upload
