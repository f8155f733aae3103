"""The end of an upload: a file dropped, an import stopped, its rows taken out. Invisible at once, deleted in time."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _

from behaviour import first_load, merge_moves, merging, netting, product_history, set_aside, tables, turns
from behaviour.models import Consent, ConsentState, Event, Product, Shopper, ShopperChange, Upload
from behaviour.people_loading import proof_of
from behaviour.rejects import drop_rejects
from mailai.accounts import audit
from mailai.claims import claim_one
from mailai.errors import StateError

BATCH = 5000
# Ids walked by one statement that deletes events.
EVENT_STEP = 20_000
# A run that has not committed anything for so long is dead.
DEAD_AFTER = timedelta(seconds=60)
State = Upload.State


def cancel_upload(upload: Upload, by: Any = None) -> None:
    """Drop a file that was not imported, or stop its import: what it brought is invisible from now on.

    A running import stops at its next part. Rows that are in the tables wait for ``remove_rows``.

    Raises
    ------
    StateError : the import is done, or the upload was cancelled or undone before.
    """
    for state in (State.RECEIVED, State.CHECKED, State.QUEUED, State.IMPORTING, State.FAILED):
        if claim_one(upload, from_status=state, to_status=State.CANCELLED, finished_at=now(), heartbeat_at=None):
            tables.stored_file(upload).unlink(missing_ok=True)
            drop_rejects(upload)
            Upload.objects.filter(pk=upload.pk).update(rejects_file="")
            audit.record("upload.cancel", upload, by=by)
            return
    upload.refresh_from_db(fields=["state"])
    if upload.state == State.DONE:
        raise StateError(_("This upload can't be cancelled any more. Undo it instead."))
    raise StateError(_("This upload was cancelled or undone before."))


def undo_upload(upload: Upload, by: Any = None) -> dict[str, Any]:
    """Take out what the file brought, and wait for it; ``begin_undo`` and a task do the same behind a page.

    Raises
    ------
    StateError : there is nothing to undo.
    """
    begin_undo(upload, by)
    return remove_rows(upload.pk)


def begin_undo(upload: Upload, by: Any = None) -> None:
    """Hide what the file brought; a running import stops at its next part. Called again, it changes nothing.

    Raises
    ------
    StateError : there is nothing to undo.
    """
    upload.refresh_from_db()
    if upload.state == State.UNDONE:
        return
    if upload.state not in (State.QUEUED, State.IMPORTING, State.DONE, State.FAILED):
        raise StateError(
            _("This is not possible any more: the upload is %(state)s.") % {"state": upload.get_state_display()}
        )
    changes: Any = {"finished_at": now(), "hidden": True, "heartbeat_at": None}
    if not claim_one(upload, from_status=upload.state, to_status=State.UNDONE, **changes):
        raise StateError(_("The upload changes right now. Try again in a moment."))
    tables.stored_file(upload).unlink(missing_ok=True)
    drop_rejects(upload)
    Upload.objects.filter(pk=upload.pk).update(rejects_file="")
    audit.record("upload.undo", upload, by=by)


def remove_rows(upload_id: int) -> dict[str, Any]:
    """Delete the events of a cancelled or undone upload, and shoppers, products and permissions that stand on nothing
    else; give products and people back what it changed. In short transactions; run again after a kill, it goes on.

    Costs a few seconds a million events; the range of ids that the upload noted is walked once.
    """
    upload = Upload.objects.get(pk=upload_id)
    if upload.state not in (State.CANCELLED, State.UNDONE):
        return {}
    drop_rejects(upload)
    n_apart = merging.undo_merges_of(upload, beat=lambda: _beat(upload))
    n_restored = product_history.restore(upload, beat=lambda: _beat(upload))
    n_given_back = set_aside.give_back(upload, beat=lambda: _beat(upload))
    removed: dict[str, Any] = {"events_removed": _remove_events(upload)}
    # Whoever has events of another origin is found by it; with few of them left it is built in no time.
    first_load.mend()
    removed |= {
        "permissions_removed": _undo_permissions(upload),
        "shoppers_removed": _delete(upload, _unused_shoppers(upload)),
        "products_removed": _delete(upload, _unused_products(upload)),
    }
    netting.net_again(beat=lambda: _beat(upload))
    more = {"merges_undone": n_apart, "products_restored": n_restored, "shoppers_restored": n_given_back}
    removed |= {name: n for name, n in more.items() if n}
    Upload.objects.filter(pk=upload_id).update(hidden=False, finished_at=now(), heartbeat_at=None)
    audit.record("upload.removed", upload, by=None, **removed)
    return removed


def left_behind() -> QuerySet[Upload]:
    """Return the cancelled and undone uploads whose rows nobody is deleting."""
    idle = Q(heartbeat_at=None) | Q(heartbeat_at__lt=now() - DEAD_AFTER)
    return Upload.objects.filter(idle, hidden=True, state__in=[State.CANCELLED, State.UNDONE])


def _beat(upload: Upload) -> None:
    """Give a sign of life between two transactions, and let other writers have their turn."""
    Upload.objects.filter(pk=upload.pk).update(heartbeat_at=now())
    turns.breathe()


def _remove_events(upload: Upload) -> int:
    n = 0
    for first in _steps(upload):
        rows = Event.everything.filter(upload=upload, pk__gte=first, pk__lt=first + EVENT_STEP)
        with transaction.atomic():
            # Nothing points at an event, so nothing but the rows themselves has to be looked at.
            n += rows._raw_delete(rows.db)  # type: ignore[attr-defined]
        _beat(upload)
    return n


def _steps(upload: Upload) -> Iterator[int]:
    """Yield the first id of each step through the upload's range; a killed run may have written beyond its note."""
    if upload.first_event is None:
        return
    newest = Event.everything.order_by("-pk").values_list("pk", flat=True).first() or 0
    last = newest if upload.checkpoint or upload.last_event is None else upload.last_event
    yield from range(upload.first_event, last + 1, EVENT_STEP)


def _delete(upload: Upload, rows: Any) -> int:
    """Delete in short transactions and return how many rows of the model itself went.

    Another import may use a shopper or product at this moment: it takes turns with us, and what it referred to in the
    meantime is left out by the second look.
    """
    everything, n = rows.model.everything, 0
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            turns.remove()
            sure = list(rows.filter(pk__in=ids).values_list("pk", flat=True))
            everything.filter(pk__in=sure).delete()
        n += len(sure)
        _beat(upload)
    return n


def _unused_shoppers(upload: Upload) -> Any:
    """Shoppers made by the file on whom no event, mail or permission of another origin hangs."""
    rows = Shopper.everything.filter(upload=upload)
    for relation in merge_moves.keys_to_shopper():
        # A profile is computed and an identity came with the file; all else is somebody's record.
        if relation.one_to_one:
            continue
        others = relation.related_model._base_manager.filter(**{relation.field.name: OuterRef("pk")})
        if relation.related_model is Consent:
            # A withdrawal that the file brought goes with the shopper, but not before her.
            others = others.exclude(proof=proof_of(upload))
        if relation.related_model is ShopperChange:
            # What a published file changed of her goes with her; what waits would be lost.
            others = others.filter(upload__published_at=None)
        rows = rows.filter(~Exists(others))
    return rows


def _unused_products(upload: Upload) -> Any:
    # One pass over the events: views have no index by product.
    used = Event.everything.filter(product__isnull=False).order_by().values("product")
    return Product.everything.filter(upload=upload).exclude(pk__in=used)


def _undo_permissions(upload: Upload) -> int:
    """Delete the permissions that came with the file; what was said before counts again.

    Withdrawals stay: an undo allows nobody to be mailed who could not be before it.
    """
    rows = Consent.objects.filter(proof=proof_of(upload)).exclude(state=ConsentState.WITHDRAWN)
    n = 0
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            people = set(Consent.objects.filter(pk__in=ids).values_list("shopper_id", flat=True))
            Consent.objects.filter(pk__in=ids).delete()
            _restate(people)
        n += len(ids)
        _beat(upload)
    return n


def _restate(shopper_ids: set[int]) -> None:
    newest: dict[int, str] = dict.fromkeys(shopper_ids, ConsentState.UNKNOWN.value)
    said = Consent.objects.filter(shopper_id__in=shopper_ids, purpose=Consent.Purpose.MARKETING).order_by("at", "pk")
    newest |= dict(said.values_list("shopper_id", "state"))
    for state in ConsentState.values:
        Shopper.everything.filter(pk__in=[pk for pk, one in newest.items() if one == state]).update(marketing=state)
