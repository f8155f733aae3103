"""What the pages of an upload show, made from the upload's row."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _

from behaviour import quality
from behaviour.core.columns import PRODUCTS, SHOPPERS
from behaviour.models import Event, Merge, Upload
from behaviour.quality_words import normal
from behaviour.upload_permission import permission_text
from behaviour.upload_words import FINDINGS, FIXES, REASONS

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
    return Upload.objects.filter(demo=False).exclude(state=State.CANCELLED).select_related("created_by")


def checking_context(upload: Upload) -> dict[str, Any]:
    """Return how far a check is that a worker makes: rows, share of the file, pace and the time that is left."""
    seen = upload.checkpoint
    seconds, share = seen.get("seconds", 0), seen.get("share", 0)
    return {
        "n_read": seen.get("checked", 0),
        "share": 100 * share,
        "pace": round(seen.get("checked", 0) / seconds) if seconds else 0,
        "seconds_left": max(1, round(seconds / share - seconds)) if share and seconds else None,
    }


def check_context(upload: Upload) -> dict[str, Any]:
    """Return what the check found, worst first."""
    preview = upload.preview
    findings = [
        {
            "kind": "bad",
            "text": REASONS[code][0],
            "n": n,
            "example": _example_text(preview["examples"].get(code, "")),
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
            "example": _meant_text(preview) if code == "email_typo" else _fix_text(preview.get("mended", {}).get(code)),
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
        "permission": permission_text(upload),
        "kinds": kinds,
        "normal": normal(quality.report_of(upload), quality.comparison(upload)),
        "counts_later": unchanged_known,
    }


def _example_text(example: str) -> str:
    """Return where a refused row stands, and its cell: line 12: date = “31/02/2026”."""
    line, _colon, cell = example.partition(": ")
    if not cell:
        return _("line %(line)s") % {"line": line} if line else ""
    return _("line %(line)s: %(cell)s") % {"line": line, "cell": cell}


def _fix_text(fix: list[Any] | None) -> str:
    """Return what became of a cell: line 12: “€129,00” → 129."""
    if not fix:
        return ""
    line, before, after = fix
    return _("line %(line)s: “%(before)s” → %(after)s") % {"line": line, "before": before, "after": after}


def _meant_text(preview: dict[str, Any]) -> str:
    """Return what misspelt providers were probably meant to be: gmial.com → gmail.com."""
    return " · ".join(f"{wrong} → {right}" for wrong, right in preview.get("meant", {}).items())


def run_context(upload: Upload) -> dict[str, Any]:
    """Return progress: rows, share, pace and the time that is left; and what follows."""
    whole = upload.preview.get("rows", 0)
    # A block of rows is loaded in parts, each of them committed.
    n_done = upload.rows_read + upload.checkpoint.get("part_loaded", 0)
    share = 100 * n_done / whole if whole else 0
    seconds = (((upload.finished_at or now()) - upload.started_at).total_seconds()) if upload.started_at else 0
    pace = n_done / seconds if seconds > 1 else 0
    left = (whole - n_done) / pace if pace and whole else None
    done = upload.state == State.DONE
    return {
        "upload": upload,
        "running": upload.state in (State.QUEUED, State.IMPORTING),
        "whole": whole,
        "n_done": n_done,
        "share": min(share, 100),
        "pace": round(pace),
        "seconds_left": None if left is None else max(1, round(left)),
        "seconds": max(1, round(seconds)),
        "waits_for": _before(upload),
        "trains": upload.preview.get("train", False),
        # An import that was not checked before has its report only.
        "n_new_products": upload.quality.get("unknown_products", 0) if done and upload.kind != PRODUCTS else 0,
        "n_merged": Merge.objects.filter(upload=upload, undone_at=None).count() if done else 0,
        "findings": [
            {"text": finding_text(code), "n": n}
            for code, n in sorted(upload.findings.items(), key=lambda pair: -pair[1])
            if n
        ],
    }


def _before(upload: Upload) -> str:
    """Return the name of the file that is imported while this one waits: one import runs at a time."""
    if upload.state != State.QUEUED:
        return ""
    running = Upload.objects.filter(state=State.IMPORTING).order_by("started_at")
    return running.values_list("filename", flat=True).first() or ""


def finding_text(code: str) -> str:
    """Return the words of something that was found or refused."""
    return str(FINDINGS[code] if code in FINDINGS else REASONS[code][0])
