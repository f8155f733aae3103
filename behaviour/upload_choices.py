"""What a person decides about an upload beside its columns: the time zone, what follows, how mended rows are read."""

import zoneinfo
from typing import Any

from django.utils.translation import gettext as _

from behaviour import tables, uploads
from behaviour.core.parsing import TableError
from behaviour.models import Upload
from behaviour.upload_cleaning import chosen_of
from behaviour.upload_words import problem_text
from mailai.accounts import audit
from mailai.errors import InputError

State = Upload.State


def choose_zone(upload: Upload, zone: str) -> None:
    """Read times without a zone in this one; saved with the columns.

    Raises
    ------
    InputError : there is no such zone.
    """
    if zone not in zoneinfo.available_timezones():
        raise InputError(_("This is no time zone. Write one such as Europe/London or Asia/Shanghai."))
    upload.mapping["zone"] = zone


def wish_training(upload: Upload, *, wished: bool) -> None:
    """Note whether predictions are trained once the import is done; the recommender looks for it there."""
    preview = upload.preview | {"train": wished}
    if Upload.objects.filter(pk=upload.pk, state__in=[State.RECEIVED, State.CHECKED]).update(preview=preview):
        upload.preview = preview


def take_over(upload: Upload, original: Upload, by: Any = None) -> Upload:
    """Read mended rows as the file was read that they were refused from: columns, event names, answers, zone.

    Columns that the mended file lacks are passed over.

    Raises
    ------
    InputError : the mended file can't be read in this way.
    """
    said = original.mapping
    with tables.open_table(upload) as table:
        header = table.header
    upload.mapping["zone"] = said.get("zone") or upload.mapping.get("zone", "")
    chosen = {
        "kind": original.kind,
        "columns": {name: column for name, column in said.get("columns", {}).items() if not column or column in header},
        "events": said.get("events", {}),
        # The mended file has letters of its own.
        "answers": {code: answer for code, answer in said.get("answers", {}).items() if code != "encoding"},
    }
    try:
        uploads.choose_columns(upload, chosen)
    except TableError as error:
        raise InputError(problem_text(error)) from error
    Upload.objects.filter(pk=upload.pk).update(cleaning=chosen_of(original))
    upload.refresh_from_db()
    audit.record("upload.columns", upload, by=by)
    return upload
