"""What the pages of an upload show, made from the upload's row."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _

from behaviour import tables
from behaviour.core.columns import KINDS, PERSONAL, PRODUCTS, SHOPPERS
from behaviour.models import Event, Upload, masked
from behaviour.upload_forms import column_choices, event_choices, tag_of
from behaviour.upload_words import FINDINGS, FIXES, REASONS

SAMPLES = 200
State = Upload.State
# Templates that can be downloaded: a header and a row that shows how values are written.
TEMPLATES = {
    "events": (
        "user_id,item_id,event,timestamp,order_id,quantity,price",
        "1001,SKU-1,view,2026-11-23 06:12:08,,,",
        "1001,SKU-1,purchase,2026-11-23 06:15:40,A-77,2,12.90",
    ),
    "products": (
        "item_id,name,price,category,url,image,stock,active",
        "SKU-1,Trail bottle,12.90,Camping > Bottles,https://shop.example/p/1,https://shop.example/p/1.png,40,yes",
    ),
    "shoppers": (
        "user_id,email,first_name,last_name,country,locale,consent,consent_source,consent_at",
        "1001,elena@mail.example,Elena,Novak,Germany,de,yes,checkout,2026-10-01 09:30:00",
    ),
}


def steps(upload: Upload | None, current: str) -> list[dict[str, Any]]:
    """Return the four steps of the wizard."""
    labels = {"new": _("Upload"), "columns": _("Match columns"), "check": _("Check"), "run": _("Import")}
    keys = list(labels)
    begun = upload is not None and upload.state not in (State.RECEIVED, State.CHECKED)
    return [
        {
            "key": key,
            "label": label,
            "done": keys.index(key) < keys.index(current),
            "url": _step_url(key, upload, begun=begun, current=current),
        }
        for key, label in labels.items()
    ]


def _step_url(key: str, upload: Upload | None, *, begun: bool, current: str) -> str:
    if key == "new":
        return reverse("behaviour:import_new")
    if upload is None or (begun and key != "run") or (key == "run" and not begun):
        return ""
    return reverse(f"behaviour:import_{key}", args=[upload.uuid])


def listed() -> "QuerySet[Upload]":
    """Return the uploads for the list, newest first."""
    return Upload.objects.filter(demo=False).exclude(state=State.CANCELLED)


def columns_context(upload: Upload) -> dict[str, Any]:
    """Return the rows of the columns step, those to decide first, with sample values (personal ones masked)."""
    frame = tables.sample_block(upload, SAMPLES).frame
    with tables.open_table(upload) as table:
        header, match = table.header, table.match
    field_of = {at: name for name, at in match.columns.items()}
    columns = [
        {
            "at": at,
            "name": name or _("Column %(n)s") % {"n": at + 1},
            "values": _samples(frame[f"c{at}"].to_list(), field_of.get(at, "")),
            "field": field_of.get(at, ""),
            "tag": tag_of(field_of[at], match.kind) if at in field_of else "",
        }
        for at, name in enumerate(header)
    ]
    return {
        "match": match,
        "columns": sorted(columns, key=lambda column: bool(column["field"])),
        "n_matched": len(field_of),
        "choices": column_choices(match.kind),
        "kinds": [(kind, str(Upload.Kind(kind).label)) for kind in KINDS],
        "event_names": _event_names(upload),
        "event_choices": event_choices(),
    }


def _samples(cells: list[str], field: str) -> str:
    seen = list(dict.fromkeys(cell.strip()[:40] for cell in cells if cell.strip()))[:3]
    # An address is masked in any column, named or not.
    return " · ".join(masked(cell) if field in PERSONAL or "@" in cell else cell for cell in seen)


def _event_names(upload: Upload) -> list[dict[str, str]]:
    """Return names that nobody has explained yet, and those that somebody did."""
    chosen = upload.mapping.get("events", {})
    names = {**dict.fromkeys(upload.preview.get("unknown_events", {}), ""), **chosen}
    return [{"name": name, "kind": kind} for name, kind in names.items()]


def check_context(upload: Upload) -> dict[str, Any]:
    """Return what the check found, worst first."""
    preview = upload.preview
    findings = [
        {
            "kind": "bad",
            "text": REASONS[code][0],
            "n": n,
            "example": _("line %(line)s") % {"line": preview["examples"].get(code, "")},
            "does": _("Refused"),
            "help": REASONS[code][1],
            "map": code == "unknown_event",
        }
        for code, n in preview["reasons"].items()
    ]
    findings += [
        {
            "kind": "good" if code in FIXES else "info",
            "text": FINDINGS[code],
            "n": n,
            "does": _("Fixed") if code in FIXES else _("Counted"),
        }
        for code, n in preview["findings"].items()
        if n
    ]
    kinds = [(Event.Kind(kind).label, n) for kind, n in preview["kinds"].items()]
    unchanged_known = upload.kind in (SHOPPERS, PRODUCTS)
    return {
        "preview": preview
        | {
            "passed": preview["known"] + preview["repeated"],
            "share": preview["ready"] / preview["rows"] if preview["rows"] else 0,
        },
        "period": [datetime.fromisoformat(text) for text in preview["period"]],
        "findings": findings,
        "kinds": kinds,
        "counts_later": unchanged_known,
    }


def run_context(upload: Upload) -> dict[str, Any]:
    """Return progress: rows, share, pace and the time that is left."""
    whole = upload.preview.get("rows", 0)
    share = 100 * upload.rows_read / whole if whole else 0
    seconds = (((upload.finished_at or now()) - upload.started_at).total_seconds()) if upload.started_at else 0
    pace = upload.rows_read / seconds if seconds > 1 else 0
    left = (whole - upload.rows_read) / pace if pace and whole else None
    return {
        "upload": upload,
        "running": upload.state in (State.QUEUED, State.IMPORTING),
        "whole": whole,
        "share": min(share, 100),
        "pace": round(pace),
        "seconds_left": None if left is None else max(1, round(left)),
        "seconds": round(seconds),
        "findings": [
            {"text": (FINDINGS | {c: w[0] for c, w in REASONS.items()}).get(code, code), "n": n}
            for code, n in sorted(upload.findings.items(), key=lambda pair: -pair[1])
            if n
        ],
    }
