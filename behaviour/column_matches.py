"""How files with the same columns were read the last time: remembered, used again, forgotten."""

import hashlib
from collections.abc import Sequence
from typing import Any

from django.utils.timezone import now

from behaviour import tables, uploads
from behaviour.core.columns import plain
from behaviour.models import ColumnMatch, Upload
from behaviour.rejects import own_columns
from behaviour.upload_cleaning import chosen_of
from mailai.accounts import audit
from mailai.errors import InputError

# What a person decided about a file, and what holds for the next one with the same columns.
KEPT = ("columns", "events", "answers")


def header_key(header: Sequence[str]) -> str:
    """Return one key for the same columns in any order and case, with or without what a file of refused rows adds."""
    added = {plain(name) for name in own_columns()}
    names = sorted(plain(name) for name in header if plain(name) not in added)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def remember(upload: Upload, header: Sequence[str]) -> None:
    """Keep a person's decisions for the next file with these columns; the encoding is each file's own."""
    said = {name: upload.mapping.get(name, {}) for name in KEPT}
    said["answers"] = {code: answer for code, answer in said["answers"].items() if code != "encoding"}
    if not any(said.values()):
        return
    ColumnMatch.objects.update_or_create(
        header_key=header_key(header),
        defaults={"kind": upload.kind, "choices": said | {"cleaning": chosen_of(upload)}, "used_at": now()},
    )


def recall(upload: Upload, by: Any = None) -> bool:
    """Read a new file as its like was read; say whether there was one. ``mapping["remembered"]`` tells it later."""
    with tables.open_table(upload) as table:
        header = table.header
    known = ColumnMatch.objects.filter(header_key=header_key(header)).first()
    if known is None:
        return False
    written = {plain(name): name for name in header}
    columns = {
        name: written.get(plain(column), "") if column else "" for name, column in known.choices["columns"].items()
    }
    upload.mapping["remembered"] = True
    upload.cleaning = known.choices.get("cleaning", {})
    try:
        uploads.choose_columns(
            upload, {"kind": known.kind, **{name: known.choices[name] for name in KEPT}, "columns": columns}
        )
    except InputError:
        # An answer of then is none today: the questions are asked anew.
        upload.refresh_from_db()
        return False
    Upload.objects.filter(pk=upload.pk).update(cleaning=known.choices.get("cleaning", {}))
    ColumnMatch.objects.filter(pk=known.pk).update(used_at=now())
    upload.refresh_from_db()
    audit.record("upload.columns", upload, by=by, remembered=True)
    return True


def forget(upload: Upload, by: Any = None) -> None:
    """Drop what is remembered for files with these columns, and read this one as if it were the first."""
    with tables.open_table(upload) as table:
        header = table.header
    ColumnMatch.objects.filter(header_key=header_key(header)).delete()
    upload.mapping = {name: value for name, value in upload.mapping.items() if name not in (*KEPT, "remembered")}
    uploads.choose_columns(upload, {"kind": "auto"})
    audit.record("upload.columns", upload, by=by, forgotten=True)
