"""What the browser sends about an upload."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from behaviour.core.cleaning import ANSWERED
from behaviour.core.columns import FIELDS, KINDS, KNOWN_EVENTS, NEEDED, PERSONAL, Match, plain
from behaviour.models import Event
from behaviour.upload_words import FIELD_NAMES
from mailai.errors import InputError


class UploadForm(forms.Form):
    """One file."""

    file = forms.FileField(
        allow_empty_file=False,
        error_messages={
            "required": gettext_lazy("Choose a file first."),
            "empty": gettext_lazy("The file is empty. Export it again and check that it holds rows."),
        },
    )
    # The upload whose refused rows come back mended.
    mends = forms.UUIDField(required=False)


def fields_of(match: Match, kind: str) -> list[str]:
    """Return the fields that a column can be: those of the kind, and what the recognised layout reads beside them."""
    more = [name for name in match.columns if name not in FIELDS[kind]] if kind == match.kind else []
    return [*FIELDS[kind], *more]


def column_choices(match: Match) -> list[tuple[str, str]]:
    """Return the fields that a column of this file can be, with their words."""
    return [(name, str(FIELD_NAMES[name])) for name in fields_of(match, match.kind)]


def event_choices() -> list[tuple[str, str]]:
    """Return what an event name of the file can mean."""
    uploaded = ("view", "favourite", "cart", "uncart", "purchase", "refund", "rating", "search", "signup", ANSWERED)
    return [(name, str(Event.Kind(name).label)) for name in uploaded]


def tag_of(field: str, kind: str) -> str:
    """Return the word beside a field: needed, encrypted, or nothing."""
    if field in PERSONAL:
        return _("Encrypted")
    return _("Needed") if any(field in group for group in NEEDED[kind]) else ""


def decisions(sent: QueryDict, header: list[str], match: Match, decided: dict[str, str]) -> dict[str, Any]:
    """Return the choices of the columns step; fields that no column was chosen for are left out on purpose.

    Columns that stand as they were read are no decision: ``decided`` stays, and a recognised layout goes on.

    Raises
    ------
    InputError : two columns are chosen for one field.
    """
    kind = sent.get("kind", match.kind) if sent.get("kind", match.kind) in KINDS else match.kind
    columns: dict[str, str] = dict.fromkeys(fields_of(match, kind), "")
    for at, name in enumerate(header):
        field = sent.get(f"column-{at}", "")
        if columns.get(field):
            raise InputError(
                _("Two columns are chosen for “%(field)s”: %(one)s and %(other)s. Keep one of them.")
                % {"field": FIELD_NAMES[field], "one": columns[field], "other": name}
            )
        if field in columns:
            columns[field] = name
    read = {name: header[at] for name, at in match.columns.items()}
    if kind == match.kind and {name: column for name, column in columns.items() if column} == read:
        columns = decided
    names, kinds = sent.getlist("event-name"), sent.getlist("event-kind")
    # What a name means anyway needs no decision; a known one that is left open is passed over on purpose.
    meant = {name: KNOWN_EVENTS.get(plain(name), "") for name in names}
    events = {name: chosen or "skip" for name, chosen in zip(names, kinds, strict=False) if chosen != meant[name]}
    answers = {key.removeprefix("answer-"): sent[key] for key in sent if key.startswith("answer-")}
    return {"kind": kind, "columns": columns, "events": events, "answers": answers}
