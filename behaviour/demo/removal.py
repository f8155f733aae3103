"""Take the demo shop away again. Rows that are not flagged as demo are never touched."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models, transaction
from django.db.models import PROTECT, QuerySet

from behaviour.demo import loading, pictures
from behaviour.models import Consent, Event, Identity, Product, Shop, Shopper, Suppression
from mailai.accounts import audit

BATCH = 500
EVENT_BATCH = 5000


def has_demo() -> bool:
    """Say whether anything of the demo shop is there."""
    return Shopper.objects.filter(demo=True).exists() or Product.objects.filter(demo=True).exists()


def remove_demo_shop(by: Any = None) -> dict[str, int]:
    """Remove all demo rows of every app, the pictures and the demo's settings; return what went.

    Short transactions throughout, so mails can go out meanwhile; a second call completes an interrupted one.
    """
    # Shoppers first: their messages would protect the variants of the demo's campaigns.
    removed = {"behaviour.Event": _remove_events(), "behaviour.Shopper": _remove_shoppers()}
    removed |= {model._meta.label: _remove_rows(model) for model in _flagged_models()}
    removed["pictures"] = pictures.remove_pictures()
    _reset_shop()
    removed = {label: count for label, count in removed.items() if count}
    if removed:
        audit.record("demo.remove", Shop.current(), by=by, removed=removed)
    return removed


def _flagged_models() -> list[type[models.Model]]:
    """Return every model with a ``demo`` flag, those that protect others first.

    Asked of the app registry: this room knows none of the rooms above it.
    """
    flagged = [model for model in apps.get_models() if _has_flag(model) and model is not Shopper]
    ordered: list[type[models.Model]] = []
    while flagged:
        free = [
            model for model in flagged if not any(_protects(other, model) for other in flagged if other is not model)
        ]
        ordered += free or flagged
        flagged = [model for model in flagged if model not in ordered]
    return ordered


def _has_flag(model: type[models.Model]) -> bool:
    try:
        return isinstance(model._meta.get_field("demo"), models.BooleanField)
    except FieldDoesNotExist:
        return False


def _protects(model: type[models.Model], target: type[models.Model]) -> bool:
    return any(
        field.related_model is target and field.remote_field.on_delete is PROTECT  # type: ignore[union-attr]
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey)
    )


def _batches(rows: QuerySet[Any], size: int = BATCH) -> Iterator[list[int]]:
    """Yield ids from the front until none is left; the caller deletes each batch."""
    while batch := list(rows.order_by("pk").values_list("pk", flat=True)[:size]):
        yield batch


def _remove_rows(model: type[models.Model]) -> int:
    """Delete the flagged rows. One that a real row still needs loses its flag instead, so it becomes the user's own."""
    rows, count = model._default_manager.filter(demo=True), 0
    for batch in _batches(rows):
        try:
            with transaction.atomic():
                model._default_manager.filter(pk__in=batch).delete()
            count += len(batch)
        except models.ProtectedError:
            count += sum(_remove_or_keep(model, pk) for pk in batch)
    return count


def _remove_or_keep(model: type[models.Model], pk: int) -> int:
    row = model._default_manager.filter(pk=pk)
    try:
        with transaction.atomic():
            row.delete()
    except models.ProtectedError:
        row.update(demo=False)
        return 0
    return 1


def _remove_events() -> int:
    count = 0
    # Lines of the demo may have gone to a real shopper, by a merge.
    ours = {"dedupe_key__gte": loading.event_key(0), "dedupe_key__lte": loading.event_key(loading.MOST_LINES)}
    for rows in (Event.everything.filter(shopper__demo=True), Event.everything.filter(**ours)):
        for batch in _batches(rows, EVENT_BATCH):
            # By id: with a join in the condition PostgreSQL chose a nested loop over the whole table for every batch.
            count += Event.everything.filter(pk__in=batch).delete()[0]
    return count


def _remove_shoppers() -> int:
    """Delete the shoppers with all that hangs on them, and the suppression of their invented addresses."""
    count = 0
    for batch in _batches(Shopper.everything.filter(demo=True)):
        indexes = Identity.objects.filter(shopper_id__in=batch, email_index__isnull=False).values("email_index")
        with transaction.atomic():
            Suppression.objects.filter(email_index__in=indexes).delete()
            Consent.objects.filter(shopper_id__in=batch).delete()
            Shopper.everything.filter(pk__in=batch).delete()
        count += len(batch)
    return count


def _reset_shop() -> None:
    """Put back the defaults of what still says what the demo wrote; what somebody changed since stays."""
    shop = Shop.current()
    shop.demo_reacts = False
    if shop.name == loading.SHOP["name"]:
        shop.url = ""
    for name, value in loading.SHOP.items():
        if getattr(shop, name) == value:
            setattr(shop, name, getattr(Shop(), name))
    shop.save()
