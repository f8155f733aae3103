"""What the columns step shows: which column is which field and how sure that is, and what only a person can tell."""

import re
import zoneinfo
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from behaviour import tables
from behaviour.core import guessing
from behaviour.core.columns import GENERIC, KINDS, KNOWN_EVENTS, PERSONAL, Match, plain
from behaviour.core.encodings import ENCODINGS
from behaviour.core.parsing import Block
from behaviour.core.shapes import DELIMITERS
from behaviour.models import Upload, masked
from behaviour.upload_forms import column_choices, event_choices, tag_of
from behaviour.upload_permission import permission_text
from behaviour.upload_words import (
    ANSWERS,
    DATE_NAMES,
    DELIMITER_NAMES,
    ENCODING_NAMES,
    FIELD_NAMES,
    LAYOUTS,
    LOOKS,
    fields_text,
    note_text,
    question_text,
)

SAMPLES = 200
LONGEST_SAMPLE = 40
MOST_EVENT_NAMES = 20
SLASHED = re.compile(r"\s*(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})(?!\d)")


def columns_context(upload: Upload) -> dict[str, Any]:
    """Return the rows of the columns step, those to decide first, with sample values (personal ones masked)."""
    block = tables.sample_block(upload)
    with tables.open_table(upload) as table:
        header, match = table.header, table.match
    columns = _columns(upload, block, header, match)
    choices = column_choices(match)
    return {
        "match": match,
        "missing": "" if match.complete else fields_text(match.missing),
        "permission": permission_text(upload),
        "looks": looks_text(upload),
        "size": filesizeformat(upload.size),
        "columns": sorted(columns, key=lambda column: column["sure"] != "choose"),
        "n_matched": sum(bool(column["field"]) for column in columns),
        "choices": choices,
        "kinds": [(kind, str(Upload.Kind(kind).label)) for kind in KINDS],
        "event_names": _event_names(upload, block, match),
        "event_choices": event_choices(),
        "remembered": upload.mapping.get("remembered", False),
        "questions": [_question(question, upload) for question in upload.mapping.get("questions", [])],
        "notes": note_texts(upload),
        **_reading_choices(upload),
    }


def show_choices(columns: list[dict[str, Any]], sent: Mapping[str, str]) -> None:
    """Let the columns show what was chosen but could not be taken."""
    for column in columns:
        column["field"] = sent.get(f"column-{column['at']}", column["field"])


def looks_text(upload: Upload) -> str:
    """Return what the file looks like, as a sentence."""
    return str(LAYOUTS.get(upload.layout, LOOKS[upload.kind]))


def note_texts(upload: Upload) -> list[str]:
    """Return what is odd about the file, a sentence each."""
    return [note_text(note) for note in upload.mapping.get("notes", [])]


def _columns(upload: Upload, block: Block, header: list[str], match: Match) -> list[dict[str, Any]]:
    field_of = {at: name for name, at in match.columns.items()}
    decided = bool(upload.mapping.get("columns")) or match.layout != GENERIC
    suggested = {} if decided and match.complete else guessing.suggestions(block, match)
    doubtful = set() if decided else guessing.doubtful(block, match)
    frame = block.frame.head(SAMPLES)
    rows = []
    for at, name in enumerate(header):
        field, offered = field_of.get(at, ""), suggested.get(at, "")
        helps = at in match.helpers.values()
        open_ = "helper" if helps else "left" if decided and not offered else "choose"
        rows.append(
            {
                "at": at,
                "name": name or _("Column %(n)s") % {"n": at + 1},
                "values": _samples(frame[f"c{at}"].to_list(), field or offered),
                "field": field,
                "suggested": offered,
                "suggested_label": str(FIELD_NAMES[offered]) if offered else "",
                "tag": tag_of(field, match.kind) if field else "",
                "n_formats": len(upload.mapping.get("seen", {}).get("dates", [])) if field == "timestamp" else 0,
                "sure": ("likely" if field in doubtful else "sure") if field else open_,
            }
        )
    return rows


def _samples(cells: list[str], field: str) -> str:
    seen = list(dict.fromkeys(cell.strip()[:LONGEST_SAMPLE] for cell in cells if cell.strip()))[:3]
    # An address is masked in any column, named or not.
    return " · ".join(masked(cell) if field in PERSONAL or "@" in cell else cell for cell in seen)


def _event_names(upload: Upload, block: Block, match: Match) -> list[dict[str, Any]]:
    """Return the names of the file's events and what they mean; those that nobody has explained first."""
    if "event" not in match.columns:
        return []
    chosen = upload.mapping.get("events", {})
    # A recognised export has words of its own, which it explains itself.
    own = match.layout != GENERIC
    seen = block.frame[f"c{match.columns['event']}"].str.strip_chars().value_counts(sort=True).to_series(0).to_list()
    names = dict.fromkeys([*upload.preview.get("unknown_events", {}), *chosen, *([] if own else seen)])
    rows = [
        {"name": name, "kind": chosen.get(name, KNOWN_EVENTS.get(plain(name), "")).replace("skip", "")}
        for name in names
        if name
    ]
    return sorted(rows, key=lambda row: bool(row["kind"]))[:MOST_EVENT_NAMES]


def _question(question: Mapping[str, Any], upload: Upload) -> dict[str, Any]:
    """Return a question with its answers, each with what the samples mean then."""
    answers = upload.mapping.get("answers", {})
    choices = [
        {"value": choice, "label": answer_text(choice), "meaning": _meaning(question, choice, n)}
        for n, choice in enumerate(question["choices"])
    ]
    code = question["code"]
    return {"code": code, "text": question_text(question), "choices": choices, "chosen": answers.get(code, "")}


def answer_text(choice: str) -> str:
    """Return the words of an answer; an encoding goes by its name."""
    return str(ANSWERS.get(choice) or ENCODING_NAMES.get(choice) or choice)


def _meaning(question: Mapping[str, Any], choice: str, n: int) -> str:
    """Return how the first sample reads under an answer: 03/04/2024 = 3 April 2024."""
    sample = question["samples"][n if question["code"] == "encoding" else 0]
    if question["code"] == "date_order":
        return f"{sample} = {_dated(sample, day_first=choice == 'day_first')}"
    if question["code"] == "decimal":
        other = "," if choice == "." else "."
        number = float(re.sub(r"[^0-9.]", "", sample.replace(other, "").replace(choice, ".")))
        return f"{sample} = {number:,.10g}"
    return str(sample)


def _dated(sample: str, *, day_first: bool) -> str:
    found = SLASHED.match(sample)
    if found is None:
        return sample
    one, two, year = (int(part) for part in found.groups())
    day, month = (one, two) if day_first else (two, one)
    try:
        return date_format(date(year if year > 99 else 2000 + year, month, day), "j F Y")
    except ValueError:
        return _("no date")


def reading_rows(upload: Upload) -> list[tuple[str, str]]:
    """Return how the file is read, for who did not have to look at its columns."""
    shape, seen, said = (upload.mapping.get(name, {}) for name in ("shape", "seen", "answers"))
    rows = []
    if shape.get("form", "csv") == "csv":
        rows.append((_("Encoding"), str(ENCODING_NAMES.get(shape.get("encoding", ""), shape.get("encoding", "")))))
        rows.append((_("Separator"), str(DELIMITER_NAMES.get(shape.get("delimiter", ""), ""))))
    order = said.get("date_order") or seen.get("date_order", "")
    dates = [str(DATE_NAMES.get(name, name)) for name in seen.get("dates", [])][:3]
    rows.append((_("Dates"), ", ".join([*dates, answer_text(order).lower()] if order else dates)))
    mark = said.get("decimal") or seen.get("decimal", "")
    rows.append((_("Decimal mark"), {".": _("point"), ",": _("comma")}.get(mark, "")))
    zone = _("as written in the file") if seen.get("zone_written") else upload.mapping.get("zone", "")
    rows.append((_("Times are"), zone if dates else ""))
    return [(label, text) for label, text in rows if text]


def _reading_choices(upload: Upload) -> dict[str, Any]:
    """Return the choices of separator, encoding and time zone; a spreadsheet or feed has neither of the first two."""
    shape = upload.mapping.get("shape", {})
    written = shape.get("form", "csv") == "csv"
    encodings = dict.fromkeys([shape.get("encoding", ""), *ENCODINGS]) if written else {}
    return {
        "encoding": shape.get("encoding", ""),
        "encodings": [(name, str(ENCODING_NAMES.get(name, name))) for name in encodings],
        "delimiter": shape.get("delimiter", ""),
        "delimiters": [(sign, str(DELIMITER_NAMES[sign])) for sign in DELIMITERS] if written else [],
        "zone": upload.mapping.get("zone", ""),
        "zones": sorted(zoneinfo.available_timezones()),
        "currency": upload.mapping.get("currency", ""),
    }
