"""The products of a mail: chosen with some spare ones when it is planned, looked at again when it leaves."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber

from behaviour.catalogue import sellable
from behaviour.models import Event, Product
from campaigns.models import Campaign, Message
from campaigns.wishes import filters_of
from recommender.picks import Pick
from recommender.services import top_products

# So many of a shopper's picks may sell out before she needs fresh ones.
SPARE = 3
# Shoppers of one "id in (…)" list.
ID_CHUNK = 2_000
DELETED, INACTIVE, SOLD_OUT, NO_PICTURE, UNWANTED, BOUGHT = (
    "deleted", "inactive", "sold_out", "no_picture", "unwanted", "bought",
)  # fmt: skip
State = Message.State
# Mails that left, or may have.
LEFT = (State.SENT, State.SENDING, State.IN_DOUBT)


@dataclass(frozen=True)
class Checked:
    """What a message shows at the moment of sending, and which spare picks are left."""

    picks: list[Pick]
    spare: list[Pick]


def plan_picks(campaign: Campaign, shopper_ids: Sequence[int], n: int, now: datetime) -> dict[int, list[Pick]]:
    """Return n picks of each shopper and some spare ones behind them, each with its price of now."""
    if not n:
        return {}
    filters = filters_of(campaign, draw=True)
    picks = top_products(shopper_ids, n + SPARE, at=now, filters=filters, run=campaign.run)
    prices = _prices({pick.product_id for row in picks.values() for pick in row})
    return {
        shopper: [replace(pick, price=prices.get(pick.product_id, "")) for pick in row]
        for shopper, row in picks.items()
    }


def check(campaign: Campaign, messages: Sequence[Message]) -> dict[int, Checked]:
    """Return what each message shows now, by its id; fewer picks than it needs where nothing is left.

    A pick that sold out, lost its picture, was switched off or deleted, does not fit the campaign's wishes any more or
    was bought meanwhile gives way to the next spare one, and where none is left, to fresh ones. ``Pick.changed`` says
    so: {"instead_of": product, "why": code}, and {"price_was": text} where the price is another.
    """
    rows = {m.pk: ([Pick.from_json(v) for v in m.picks], [Pick.from_json(v) for v in m.spare_picks]) for m in messages}
    faults = _Faults.read(campaign, messages, {p.product_id for parts in rows.values() for row in parts for p in row})
    checked = {message.pk: _replaced(*rows[message.pk], message, faults) for message in messages}
    short = [message for message in messages if len(checked[message.pk].picks) < len(rows[message.pk][0])]
    if short:
        n = max(len(rows[message.pk][0]) for message in short)
        fresh = top_products([m.shopper_id for m in short], n + SPARE, filters=filters_of(campaign), run=campaign.run)
        for message in short:
            own = rows[message.pk][0]
            checked[message.pk] = _with_fresh(
                own, checked[message.pk].picks, fresh[message.shopper_id], message, faults
            )
    prices = _prices({pick.product_id for one in checked.values() for pick in one.picks})
    return {pk: replace(one, picks=[_priced(pick, prices) for pick in one.picks]) for pk, one in checked.items()}


@dataclass(frozen=True)
class _Faults:
    """Why products can't be shown any more: to anybody, and to whom."""

    of_products: dict[int, str]
    bought: set[tuple[int, int]]

    @classmethod
    def read(cls, campaign: Campaign, messages: Sequence[Message], product_ids: set[int]) -> "_Faults":
        filters = filters_of(campaign)
        shown = dict(sellable().filter(pk__in=product_ids).values_list("pk", "category"))
        priced = set(Product.objects.filter(filters.prices, pk__in=shown).values_list("pk", flat=True))
        gone = Product.objects.in_bulk(product_ids - shown.keys())
        faults = {pk: _fault(gone.get(pk)) for pk in product_ids - shown.keys()}
        faults |= {pk: UNWANTED for pk, category in shown.items() if pk not in priced or not filters.wants(category)}
        if filters.repeats or not messages:
            return cls(faults, set())
        since = min(message.planned_at for message in messages)
        orders = Event.objects.filter(
            shopper__in=[m.shopper_id for m in messages], kind=Event.Kind.PURCHASE, at__gt=since
        )
        return cls(faults, set(orders.order_by().values_list("shopper_id", "product_id")))

    def why(self, message: Message, pick: Pick) -> str:
        """Return the code of what is wrong with a pick, "" = nothing."""
        if (message.shopper_id, pick.product_id) in self.bought:
            return BOUGHT
        return self.of_products.get(pick.product_id, "")


def _fault(product: Product | None) -> str:
    if product is None:
        return DELETED
    if not product.active:
        return INACTIVE
    if product.stock is not None and product.stock <= 0:
        return SOLD_OUT
    return NO_PICTURE


def _replaced(own: list[Pick], spare: list[Pick], message: Message, faults: _Faults) -> Checked:
    """Take away what can't be shown; what is left moves up, and the next spare picks stand behind it."""
    kept = [pick for pick in own if not faults.why(message, pick)]
    usable = [pick for pick in spare if not faults.why(message, pick)]
    return Checked(kept + _instead(_gone(own, message, faults), usable), usable[len(own) - len(kept) :])


def _gone(own: list[Pick], message: Message, faults: _Faults) -> list[tuple[int, str]]:
    return [(pick.product_id, why) for pick in own if (why := faults.why(message, pick))]


def _instead(gone: list[tuple[int, str]], others: list[Pick]) -> list[Pick]:
    return [
        replace(pick, changed={"instead_of": product, "why": why})
        for (product, why), pick in zip(gone, others, strict=False)
    ]


def _with_fresh(own: list[Pick], found: list[Pick], fresh: list[Pick], message: Message, faults: _Faults) -> Checked:
    there = {pick.product_id for pick in found}
    others = [pick for pick in fresh if pick.product_id not in there]
    missing = len(own) - len(found)
    gone = _gone(own, message, faults)[-missing:]
    return Checked(found + _instead(gone, others), others[missing:])


def _prices(product_ids: Collection[int]) -> dict[int, str]:
    rows = Product.objects.filter(pk__in=product_ids, price__isnull=False).values_list("pk", "price")
    return {pk: str(price) for pk, price in rows}


def _priced(pick: Pick, prices: dict[int, str]) -> Pick:
    now = prices.get(pick.product_id, "")
    if not pick.price or pick.price == now:
        return replace(pick, price=now)
    return replace(pick, price=now, changed=pick.changed | {"price_was": pick.price})


def shown_products(shopper_ids: Collection[int], n_mails: int, at: datetime) -> np.ndarray:
    """Return what the newest mails of each shopper showed (recommender.shown.ShownSource)."""
    ids = list(shopper_ids)
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(ids), ID_CHUNK):
        mails = Message.objects.filter(
            Q(sent_at__lte=at) | Q(sent_at=None), shopper__in=ids[start : start + ID_CHUNK], state__in=LEFT
        )
        # One that is under way is the newest of all.
        newest = Window(
            RowNumber(), partition_by=F("shopper"), order_by=[F("sent_at").desc(nulls_first=True), F("pk").desc()]
        )
        rows = mails.annotate(number=newest).filter(number__lte=n_mails).values_list("shopper_id", "picks")
        pairs += [(shopper, int(pick["product"])) for shopper, picks in rows for pick in picks]
    return np.array(pairs, np.int64).reshape(-1, 2)
