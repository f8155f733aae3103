"""Permission: given, withdrawn, suppressed. Asked when a message is planned and again when it leaves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, CharField, Count, Exists, Max, OuterRef, QuerySet, Value, When

from behaviour.identity import kept_ids
from behaviour.models import Consent, ConsentState, Identity, Shopper, Suppression

BATCH = 1000


@dataclass(frozen=True)
class Statement:
    """What one shopper said about one purpose, when, and where it is written."""

    shopper_id: int
    state: str
    source: str
    at: datetime
    proof: str = ""


def give(shopper_ids: Iterable[int], purpose: str, *, source: str, at: datetime, proof: str = "") -> None:
    """Record that these shoppers said yes."""
    _state(shopper_ids, purpose, ConsentState.GIVEN, source=source, at=at, proof=proof)


def withdraw(shopper_ids: Iterable[int], purpose: str, *, source: str, at: datetime, proof: str = "") -> None:
    """Record that these shoppers said no, or took back their yes."""
    _state(shopper_ids, purpose, ConsentState.WITHDRAWN, source=source, at=at, proof=proof)


def _state(
    shopper_ids: Iterable[int], purpose: str, state: ConsentState, *, source: str, at: datetime, proof: str
) -> None:
    record([Statement(pk, state, source, at, proof) for pk in dict.fromkeys(shopper_ids)], purpose)


def record(statements: Sequence[Statement], purpose: str) -> None:
    """Append statements; a shopper's own column follows the newest on record, of two at one moment the later written.

    Costs six queries for a thousand of them.
    """
    for start in range(0, len(statements), BATCH):
        with transaction.atomic():
            _record_batch(statements[start : start + BATCH], purpose)


def _record_batch(statements: Sequence[Statement], purpose: str) -> None:
    # Who was merged into another meanwhile said it as that other one.
    kept = kept_ids(row.shopper_id for row in statements)
    said = list(dict.fromkeys(replace(row, shopper_id=kept.get(row.shopper_id, row.shopper_id)) for row in statements))
    newest: dict[int, Statement] = {}
    for row in said:
        if row.shopper_id not in newest or row.at >= newest[row.shopper_id].at:
            newest[row.shopper_id] = row
    before = Consent.objects.filter(shopper_id__in=newest, purpose=purpose).order_by().values("shopper_id")
    latest = dict(before.annotate(latest=Max("at")).values_list("shopper_id", "latest"))
    Consent.objects.bulk_create(
        Consent(shopper_id=row.shopper_id, purpose=purpose, state=row.state, source=row.source, at=row.at,
                proof=row.proof) for row in said
    )  # fmt: skip
    if purpose != Consent.Purpose.MARKETING:
        return
    for state in ConsentState.values:
        now_so = [pk for pk, row in newest.items() if row.state == state and latest.get(pk, row.at) <= row.at]
        if now_so:
            Shopper.everything.filter(pk__in=now_so).update(marketing=state)


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
