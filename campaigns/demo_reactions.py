"""The invented shoppers of the demo answer their mails, so that dashboards fill and training has something to learn.

They use only what a real shopper has: the mail in the inbox and the addresses in it. Every decision is a stable draw
from the message, so a second run repeats nothing. Rates and times are made up and said in docs/demo.md.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from behaviour.models import Event, Product, Shop, stable_draw
from behaviour.services import EventRow, record_events
from campaigns import tracking
from campaigns.demo_mail import Mail, fetch, read_mail
from campaigns.models import InboxMail, LinkClick, Message

# After this time a message is left alone; it covers a worker that was away for a while.
WINDOW = timedelta(hours=1)
# Shares of the messages, and of those that got so far.
OPENS, CLICKS, CLICKS_TASTE, UNSUBSCRIBES = 0.42, 0.10, 0.32, 0.008
ORDERS, ORDERS_TASTE, SPONTANEOUS = 0.12, 0.30, 0.02
# Minutes within which it happens: what takes a day in life takes minutes here.
OPEN_MINUTES, CLICK_MINUTES, ORDER_MINUTES, SPONTANEOUS_MINUTES = 5, 2, 3, 10
N_FAVOURITES = 3
# One run at a time; after it a pause, so that the spool of this run is at rest when the next one reads it.
LOCK, LOCK_SECONDS, PAUSE_SECONDS = "campaigns.demo_reactions", 120, 3


@dataclass
class Reactions:
    """What the demo shoppers did in one run."""

    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0
    ordered: int = 0
    by_themselves: int = 0


@dataclass
class _Moment:
    """What one run needs: the time, how many requests are left, and the tastes read so far."""

    now: datetime
    left: int
    tastes: dict[int, set[str]] = field(default_factory=dict)

    def due(self, message: Message, what: str, share: float, *, since: datetime | None, minutes: float) -> bool:
        """Say whether she does this at all, and whether it is time: early more often than late."""
        if since is None or stable_draw(f"demo-{what}", message.uuid) >= share:
            return False
        wait = stable_draw(f"demo-{what}-wait", message.uuid) ** 2
        return since + timedelta(minutes=minutes * wait) <= self.now


def react(now: datetime | None = None, limit: int = 300) -> Reactions:
    """Let the demo shoppers do what is due, at most ``limit`` requests; nothing unless the shop's switch is on."""
    reactions = Reactions()
    if not Shop.current().demo_reacts or not cache.add(LOCK, 1, LOCK_SECONDS):
        return reactions
    try:
        # What the run before fetched is stamped first, so nothing is fetched a second time.
        tracking.load_spool()
        moment = _Moment(now or timezone.now(), limit)
        reactions.ordered = _order(moment)
        reactions.by_themselves = _order_by_themselves(moment)
        reactions.unsubscribed = _unsubscribe(moment)
        reactions.clicked = _click(moment)
        reactions.opened = _open(moment)
    finally:
        cache.set(LOCK, 1, PAUSE_SECONDS)
    return reactions


def _sent(moment: _Moment, **conditions: Any) -> QuerySet[Message]:
    """Return recent mails of demo shoppers in the demo inbox; everything below starts here."""
    return Message.objects.filter(
        shopper__demo=True,
        state=Message.State.SENT,
        inbox_mail__isnull=False,
        sent_at__gt=moment.now - WINDOW,
        sent_at__lte=moment.now,
        **conditions,
    ).order_by("sent_at", "pk")


def _open(moment: _Moment) -> int:
    waiting = _sent(moment, opened_at__isnull=True, unsubscribed_at__isnull=True).defer("picks")
    due = (m for m in waiting if moment.due(m, "open", OPENS, since=m.sent_at, minutes=OPEN_MINUTES))
    return _with_mail(moment, due, lambda message, mail: bool(mail.pixel) and fetch(mail.pixel))


def _click(moment: _Moment) -> int:
    waiting = _sent(moment, opened_at__isnull=False, clicked_at__isnull=True)
    ready = [m for m in waiting if moment.due(m, "click", CLICKS_TASTE, since=m.opened_at, minutes=CLICK_MINUTES)]
    categories = _categories(pick["product"] for message in ready for pick in message.picks)
    _learn_tastes(moment, ready)

    def willing(message: Message) -> bool:
        shown = {categories.get(pick["product"], "") for pick in message.picks}
        likes = bool(shown & moment.tastes.get(message.shopper_id, set()))
        return stable_draw("demo-click", message.uuid) < (CLICKS_TASTE if likes else CLICKS)

    names = dict(Product.objects.filter(pk__in=_picked(ready)).values_list("pk", "name"))

    def click(message: Message, mail: Mail) -> bool:
        link = _choose_link(message, mail, names, categories, moment.tastes.get(message.shopper_id, set()))
        return bool(link) and fetch(link)

    return _with_mail(moment, filter(willing, ready), click)


def _unsubscribe(moment: _Moment) -> int:
    waiting = _sent(moment, opened_at__isnull=False, unsubscribed_at__isnull=True).defer("picks")
    due = (m for m in waiting if moment.due(m, "leave", UNSUBSCRIBES, since=m.opened_at, minutes=CLICK_MINUTES))
    return _with_mail(
        moment,
        due,
        lambda message, mail: bool(mail.unsubscribe) and fetch(mail.unsubscribe, body=b"List-Unsubscribe=One-Click"),
    )


def _with_mail(moment: _Moment, messages: Iterable[Message], act: Callable[[Message, Mail], bool]) -> int:
    """Read the mails of these messages and act on each while requests are left; return how many succeeded."""
    chosen = [message for _number, message in zip(range(moment.left), messages, strict=False)]
    moment.left -= len(chosen)
    raw = {mail.message_id: mail for mail in InboxMail.objects.filter(message__in=chosen)}
    return sum(act(message, read_mail(raw[message.pk].raw)) for message in chosen if message.pk in raw)


def _choose_link(
    message: Message, mail: Mail, names: dict[int, str], categories: dict[int, str], taste: set[str]
) -> str:
    """Choose as a person does: a product she likes, else another product, else anything in the mail."""
    shown = [(pick["product"], names.get(pick["product"])) for pick in message.picks]
    products = [(link, pk) for link in mail.links for pk, name in shown if name and name in link.text]
    liked = [link.url for link, product in products if categories.get(product) in taste]
    choices = liked or [link.url for link, _product in products] or [link.url for link in mail.links]
    if not choices:
        return ""
    return choices[int(stable_draw("demo-which", message.uuid) * len(choices))]


def _order(moment: _Moment) -> int:
    """Some who clicked a product buy it, more often when it is to their taste."""
    clicks = LinkClick.objects.filter(
        message__in=_sent(moment, clicked_at__isnull=False, ordered_at__isnull=True), product__price__isnull=False
    )
    rows = list(
        clicks.exclude(product__stock=0).select_related("message", "product").order_by("message_id", "first_at")
    )
    _learn_tastes(moment, [click.message for click in rows])
    orders: dict[UUID, EventRow] = {}
    for click in rows:
        if click.product is None:
            continue
        likes = _root(click.product.category) in moment.tastes.get(click.message.shopper_id, set())
        share = ORDERS_TASTE if likes else ORDERS
        if moment.due(click.message, "order", share, since=click.first_at, minutes=ORDER_MINUTES):
            orders.setdefault(click.message.uuid, _purchase(click.message, click.product, "order", moment.now))
    return record_events(list(orders.values())).loaded


def _order_by_themselves(moment: _Moment) -> int:
    """A few buy without any mail, in the control group as often as in the others, so that lift is honest."""
    messages = (
        Message.objects.defer("picks")
        .filter(
            shopper__demo=True,
            state__in=[Message.State.SENT, Message.State.CONTROL],
            due_at__gt=moment.now - WINDOW,
            due_at__lte=moment.now,
        )
        .order_by("pk")
    )
    due = [
        message
        for message in messages
        if moment.due(message, "alone", SPONTANEOUS, since=message.due_at, minutes=SPONTANEOUS_MINUTES)
    ]
    usual = _usual_products(due)
    rows = [
        _purchase(message, usual[message.shopper_id], "alone", moment.now)
        for message in due
        if message.shopper_id in usual
    ]
    return record_events(rows).loaded


def _purchase(message: Message, product: Product, why: str, at: datetime) -> EventRow:
    quantity = 1 + int(stable_draw("demo-quantity", message.uuid) * 3)
    return EventRow(
        shopper_id=message.shopper_id,
        kind=Event.Kind.PURCHASE,
        at=at,
        product_id=product.pk,
        quantity=quantity,
        amount=(product.price or Decimal(0)) * quantity,
        order_ref=f"{why}-{message.uuid}",
        key=f"demo-{why}:{message.uuid}",
    )


def _usual_products(messages: Sequence[Message]) -> dict[int, Product]:
    """Return what each shopper bought most often and can buy again."""
    bought = (
        Event.objects.filter(shopper_id__in=[m.shopper_id for m in messages], kind=Event.Kind.PURCHASE)
        .filter(Q(product__stock__gt=0) | Q(product__stock__isnull=True), product__price__isnull=False)
        .values("shopper_id", "product_id")
        .annotate(n=Count("pk"))
        .order_by("shopper_id", "n", "product_id")
    )
    best = {row["shopper_id"]: row["product_id"] for row in bought}
    products = Product.objects.in_bulk(best.values())
    return {shopper: products[product] for shopper, product in best.items()}


def _learn_tastes(moment: _Moment, messages: Sequence[Message]) -> None:
    """Read the categories that these shoppers bought most from, in one query for those not known yet."""
    new = {message.shopper_id for message in messages} - moment.tastes.keys()
    counts: dict[int, dict[str, int]] = {pk: {} for pk in new}
    rows = (
        Event.objects.filter(shopper_id__in=new, kind=Event.Kind.PURCHASE, product__isnull=False)
        .values_list("shopper_id", "product__category")
        .annotate(n=Count("pk"))
    )
    for shopper_id, category, n in rows:
        root = _root(category)
        counts[shopper_id][root] = counts[shopper_id].get(root, 0) + n
    for shopper_id, by_root in counts.items():
        ranked = sorted(by_root, key=lambda root: (-by_root[root], root))
        moment.tastes[shopper_id] = set(ranked[:N_FAVOURITES]) - {""}


def _picked(messages: Iterable[Message]) -> set[int]:
    return {pick["product"] for message in messages for pick in message.picks}


def _categories(product_ids: Iterable[int]) -> dict[int, str]:
    rows = Product.objects.filter(pk__in=set(product_ids)).values_list("pk", "category")
    return {pk: _root(category) for pk, category in rows}


def _root(category: str) -> str:
    return category.split(" > ", maxsplit=1)[0]
