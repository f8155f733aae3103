"""Shoppers for people: the list, and what is known about one of them. Nothing here reads an identity."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import get_language_info

from behaviour import consent, identity
from behaviour.models import Consent, Event, Merge, Product, Shop, Shopper, Upload
from campaigns.models import Message
from mailai.ui.keyset import Sorting, a_moment, a_number
from segments import rules
from segments.models import Profile, Segment
from segments.rules.fitting import fitting

N_MESSAGES = 6
N_MERGES = 20
N_SEGMENTS = 30
# Each column has an index of its own; the key stands in the same table, so that the index alone gives the order.
SORTS = {
    "last": Sorting("profile__last_order_at", "profile__pk", a_moment),
    "orders": Sorting("profile__n_orders", "profile__pk", a_number),
    "spent": Sorting("profile__monetary", "profile__pk", a_number),
    "chance": Sorting("prediction__order_chance", "prediction__pk", lambda text: float(a_number(text))),
}
# A filtered list is counted up to here: beyond it, "more than" says enough and a million rows need not be read.
COUNTED = 10_000


@dataclass(frozen=True)
class Filters:
    """What the list of shoppers is narrowed to."""

    pseudonym: str = ""
    stage: str = ""
    segment: Segment | None = None
    product: Product | None = None
    sort: str = "last"

    @property
    def any(self) -> bool:
        """Whether the list is narrowed at all."""
        return bool(self.pseudonym or self.stage or self.segment or self.product)


@dataclass(frozen=True)
class Standing:
    """Whether and how often a shopper may be mailed."""

    exclusion: str
    newest: Consent | None
    n_sent_this_week: int
    frequency_cap: int
    n_control: int


def shoppers(filters: Filters) -> "QuerySet[Shopper]":
    """Return the shoppers that fit, in no order, with their profiles and predictions joined.

    Raises
    ------
    InputError : the segment's rule can't be read any more.
    """
    # Those that Shopper.objects gives. Wrapped, so that SQLite walks the column that sorts, not the index of merges.
    alone = Shopper.everything.alias(other=Coalesce("merged_into_id", 0)).filter(other=0)
    found = alone.exclude(upload__in=Upload.hidden_ids()).select_related("profile", "prediction")
    if filters.pseudonym:
        found = found.filter(pseudonym__startswith=filters.pseudonym.upper())
    if filters.stage:
        found = found.filter(profile__stage=filters.stage)
    if filters.segment:
        found = found.filter(rules.condition(filters.segment.rule))
    if filters.product:
        bought = Event.objects.filter(shopper=OuterRef("pk"), kind=Event.Kind.PURCHASE, product=filters.product)
        found = found.filter(Exists(bought))
    return found


def narrowed(filters: Filters, found: "QuerySet[Shopper]") -> "tuple[QuerySet[Shopper], int]":
    """Return the list to page through, and its size: exact of all shoppers, else up to one more than COUNTED.

    A segment is asked once: whom it found is then looked up by id.
    """
    if not filters.any:
        return found, Shopper.objects.count()
    plain = found.select_related(None).order_by()
    if not filters.segment:
        return found, plain[: COUNTED + 1].count()
    ids = list(plain.values_list("pk", flat=True)[: COUNTED + 1])
    if len(ids) > COUNTED:
        return found, len(ids)
    return Shopper.everything.filter(pk__in=ids).select_related("profile", "prediction"), len(ids)


def named(name: str) -> Shopper | None:
    """Return the shopper with exactly this email address, id in the shop or pseudonym; indexed look-ups only."""
    if "@" in name and (owner := identity.find_by_email(name)):
        return owner
    found = identity.shopper_ids([name]).get(name)
    known = Shopper.objects.filter(pk=found) if found else Shopper.objects.filter(pseudonym=name.upper())
    return known.first()


def profile_of(shopper: Shopper) -> Profile | None:
    """Return the shopper's profile; None until profiles were refreshed after she came."""
    return Profile.objects.filter(pk=shopper.pk).first()


def standing(shopper: Shopper, shop: Shop) -> Standing:
    """Return what the consent card shows; three queries."""
    week = timezone.now() - timedelta(days=7)
    counts = Message.objects.filter(shopper=shopper).aggregate(
        sent=Count("pk", filter=Q(state=Message.State.SENT, sent_at__gte=week)),
        control=Count("pk", filter=Q(state=Message.State.CONTROL)),
    )
    return Standing(
        exclusion=consent.with_exclusion(Shopper.objects.filter(pk=shopper.pk)).values_list("exclusion", flat=True)[0],
        newest=Consent.objects.filter(shopper=shopper, purpose=Consent.Purpose.MARKETING)
        .order_by("-at", "-pk")
        .first(),
        n_sent_this_week=counts["sent"],
        frequency_cap=shop.frequency_cap,
        n_control=counts["control"],
    )


def merges_of(shopper: Shopper) -> "QuerySet[Merge]":
    """Return the live merges that made others this shopper, also by way of one in between; the newest first."""
    return (
        Merge.objects.filter(joined__merged_into=shopper, undone_at=None)
        .select_related("kept", "joined")
        .order_by("-at", "-pk")[:N_MERGES]
    )


def who_it_is_now(pseudonym: str) -> str:
    """Return the pseudonym of the shopper into whom this one was merged; "" for who was not."""
    merged = Shopper.everything.filter(pseudonym=pseudonym, merged_into__isnull=False)
    return merged.values_list("merged_into__pseudonym", flat=True).first() or ""


def messages_of(shopper: Shopper) -> "QuerySet[Message]":
    """Return the newest messages that were planned for the shopper, with their campaign and subject."""
    return (
        Message.objects.filter(shopper=shopper)
        .select_related("campaign", "variant")
        .defer("variant__mjml", "variant__compiled", "picks")
        .order_by("-due_at", "-pk")[:N_MESSAGES]
    )


def likes(profile: Profile | None) -> list[dict[str, Any]]:
    """Return the favourite categories, each with the last part of its path, and its share beside that of the best."""
    found = profile.categories if profile else []
    best = max((one["share"] for one in found), default=0) or 1
    return [{**one, "leaf": one["category"].rsplit(" > ", 1)[-1], "of_best": one["share"] / best} for one in found]


def segments_of(shopper: Shopper) -> list[Segment]:
    """Return the segments that she belongs to now, among the newest; two queries, and those for what they name."""
    newest = Segment.objects.order_by("-updated_at", "-pk")[:N_SEGMENTS]
    fits = fitting({segment: segment.rule for segment in newest}, [shopper.pk], timezone.now())
    return sorted((segment for segment, who in fits.items() if who), key=str)


def language_of(shopper: Shopper) -> str:
    """Return her language by its name; an unknown code stands for itself."""
    code = shopper.locale.replace("_", "-")
    try:
        return str(get_language_info(code)["name_translated"]) if code else ""
    except KeyError:
        return shopper.locale


def days_since(moment: datetime | None) -> int | None:
    """Return full days since a moment."""
    return (timezone.now() - moment).days if moment else None


def stage_choices() -> list[tuple[str, Any]]:
    """Return the lifecycle stages for a filter."""
    return list(Profile.Stage.choices)
