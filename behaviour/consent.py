"""Permission: given, withdrawn, suppressed. Asked when a message is planned and again when it leaves."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, CharField, Count, Exists, OuterRef, QuerySet, Value, When

from behaviour.identity import kept_ids
from behaviour.models import Consent, ConsentState, Identity, Shopper, Suppression

BATCH = 1000


def give(shopper_ids: Iterable[int], purpose: str, *, source: str, at: datetime, proof: str = "") -> None:
    """Record that these shoppers said yes."""
    _state(shopper_ids, purpose, ConsentState.GIVEN, source=source, at=at, proof=proof)


def withdraw(shopper_ids: Iterable[int], purpose: str, *, source: str, at: datetime, proof: str = "") -> None:
    """Record that these shoppers said no, or took back their yes."""
    _state(shopper_ids, purpose, ConsentState.WITHDRAWN, source=source, at=at, proof=proof)


def _state(
    shopper_ids: Iterable[int], purpose: str, state: ConsentState, *, source: str, at: datetime, proof: str
) -> None:
    """Append the statement; the shopper's own column follows only if nothing newer is on record."""
    ids = list(dict.fromkeys(shopper_ids))
    for start in range(0, len(ids), BATCH):
        with transaction.atomic():
            # Who was merged into another meanwhile said it as that other one.
            kept = kept_ids(ids[start : start + BATCH])
            batch = list(dict.fromkeys(kept.get(pk, pk) for pk in ids[start : start + BATCH]))
            newer = set(
                Consent.objects.filter(shopper_id__in=batch, purpose=purpose, at__gt=at).values_list(
                    "shopper_id", flat=True
                )
            )
            Consent.objects.bulk_create(
                Consent(shopper_id=pk, purpose=purpose, state=state, source=source, at=at, proof=proof) for pk in batch
            )
            if purpose == Consent.Purpose.MARKETING:
                Shopper.everything.filter(pk__in=set(batch) - newer).update(marketing=state)


def suppress(email_index: str, reason: str) -> None:
    """Never mail this address again; the first reason stays."""
    Suppression.objects.get_or_create(email_index=email_index, defaults={"reason": reason})


def suppress_all(email_indexes: Sequence[str], reason: str) -> None:
    """Suppress many addresses at once."""
    Suppression.objects.bulk_create(
        [Suppression(email_index=index, reason=reason) for index in email_indexes], ignore_conflicts=True
    )


def with_exclusion(shoppers: "QuerySet[Shopper]") -> "QuerySet[Any]":
    """Annotate ``exclusion``: "" for who may be mailed, else no_address, suppressed or no_consent, in this order."""
    addressed = Identity.objects.filter(shopper_id=OuterRef("pk"), email_index__isnull=False)
    suppressed = Suppression.objects.filter(email_index=OuterRef("identity__email_index"))
    return shoppers.annotate(
        exclusion=Case(
            When(~Exists(addressed), then=Value("no_address")),
            When(Exists(suppressed), then=Value("suppressed")),
            When(marketing=ConsentState.GIVEN, then=Value("")),
            default=Value("no_consent"),
            output_field=CharField(),
        )
    )


def mailable(shoppers: "QuerySet[Shopper] | None" = None) -> "QuerySet[Shopper]":
    """Return those who may be mailed."""
    return with_exclusion(Shopper.objects.all() if shoppers is None else shoppers).filter(exclusion="")


def exclusion_counts(shoppers: "QuerySet[Shopper]") -> dict[str, int]:
    """Count the shoppers per reason, "" being who may be mailed; one grouped query."""
    rows = with_exclusion(shoppers).order_by().values("exclusion").annotate(n=Count("pk")).values_list("exclusion", "n")
    return dict(rows)
