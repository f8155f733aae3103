"""What one shopper did and what we sent her, newest first: seven queries a page, however long her history is."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from behaviour.catalogue_pages import picture_address, picture_url
from behaviour.models import Event, Shopper
from campaigns.models import Message

Kind = Event.Kind
ORDERS = (Kind.PURCHASE, Kind.REFUND)
MAILS = (Kind.EMAIL_OPEN, Kind.EMAIL_CLICK, Kind.UNSUBSCRIBE, Kind.SURVEY_ANSWER)
FILTERS: dict[str, tuple[str, ...]] = {
    "all": tuple(Kind.values),
    "orders": ORDERS,
    "carts": (Kind.CART, Kind.UNCART),
    "views": (Kind.VIEW, Kind.SEARCH, Kind.FAVOURITE),
    "emails": MAILS,
}
PER_PAGE = 15
# Products that an order is described by; the rest is counted.
NAMED_PRODUCTS = 2


@dataclass(frozen=True)
class Entry:
    """One line of the timeline: an event, a whole order, or a mail that we sent (kind "sent")."""

    kind: str
    at: datetime
    order_ref: str = ""
    products: list[str] = field(default_factory=list)
    image: str = ""
    n_products: int = 0
    amount: Any = None
    quantity: int = 1
    mail: str = ""
    message: Any = None
    question: str = ""
    answer: str = ""

    @property
    def n_more(self) -> int:
        """Products of the order that are not named."""
        return max(self.n_products - len(self.products), 0)


@dataclass(frozen=True)
class Page:
    """Entries newest first; ``older`` is the moment from which the next page goes on, with ``n_older`` entries."""

    entries: list[Entry]
    older: datetime | None
    n_older: int = 0


def timeline(shopper: Shopper, kinds: str = "all", before: datetime | None = None) -> Page:
    """Return one page of the timeline.

    Raises
    ------
    KeyError : ``kinds`` is no filter.
    """
    wanted = FILTERS[kinds]
    events = Event.objects.filter(shopper=shopper, kind__in=wanted)
    messages = Message.objects.filter(shopper=shopper, state=Message.State.SENT, sent_at__isnull=False)
    if before:
        events, messages = events.filter(at__lt=before), messages.filter(sent_at__lt=before)
    found = _orders(events) + _single(events)
    if kinds in ("all", "emails"):
        found += _sent(messages)
    found.sort(key=lambda entry: entry.at, reverse=True)
    shown = _page(found)
    older = shown[-1].at if len(found) > len(shown) else None
    n_older = _count(events, messages if kinds in ("all", "emails") else messages.none(), older) if older else 0
    return Page(_with_mails(_with_products(shown, shopper)), older, n_older)


def _count(events: "QuerySet[Event]", messages: "QuerySet[Message]", older: datetime) -> int:
    """Count the entries that are older: each order once, however many lines it has. Two queries."""
    parts = {"single": Count("pk", filter=~Q(kind__in=ORDERS))}
    for kind in ORDERS:
        keyed = Q(kind=kind) & ~Q(order_ref="")
        parts[kind] = Count("order_ref", distinct=True, filter=keyed)
        parts[f"{kind}_loose"] = Count("at", distinct=True, filter=Q(kind=kind, order_ref=""))
    return sum(events.filter(at__lt=older).aggregate(**parts).values()) + messages.filter(sent_at__lt=older).count()


def _page(found: list[Entry]) -> list[Entry]:
    """Cut after PER_PAGE entries, but never between two of the same moment, which the next page would skip."""
    end = PER_PAGE
    while end < len(found) and found[end].at == found[end - 1].at:
        end += 1
    return found[:end]


def _orders(events: "QuerySet[Event]") -> list[Entry]:
    rows = (
        events.filter(kind__in=ORDERS)
        .values("kind", "order_ref", "at")
        .annotate(n=Count("product", distinct=True), total=Sum("amount"))
        .order_by("-at")[: PER_PAGE * 4]
    )
    entries: list[Entry] = []
    for row in rows:
        last = entries[-1] if entries else None
        if last and row["order_ref"] and (last.kind, last.order_ref) == (row["kind"], row["order_ref"]):
            # The shop stamped the lines of one order minute by minute.
            total = (last.amount or 0) + (row["total"] or 0)
            entries[-1] = replace(last, n_products=last.n_products + row["n"], amount=total)
            continue
        entries.append(
            Entry(row["kind"], row["at"], order_ref=row["order_ref"], n_products=row["n"], amount=row["total"])
        )
    return entries


def _single(events: "QuerySet[Event]") -> list[Entry]:
    rows = events.exclude(kind__in=ORDERS).select_related("product").order_by("-at", "-pk")[: PER_PAGE * 2]
    return [
        Entry(
            event.kind,
            event.at,
            products=[event.product.name or event.product.sku] if event.product else [],
            image=picture_url(event.product) if event.product else "",
            n_products=1 if event.product else 0,
            amount=event.amount,
            quantity=event.quantity,
            message=event.message,
            question=event.question or "",
            answer=event.answer or "",
        )
        for event in rows
    ]


def _sent(messages: "QuerySet[Message]") -> list[Entry]:
    rows = messages.order_by("-sent_at").values_list("sent_at", "campaign__name", "uuid")[: PER_PAGE * 2]
    return [Entry("sent", at, mail=name, message=uuid) for at, name, uuid in rows if at]


def _with_products(entries: list[Entry], shopper: Shopper) -> list[Entry]:
    """Name the dearest products of each order."""
    moments = [entry.at for entry in entries if entry.kind in ORDERS]
    if not moments:
        return entries
    lines = (
        Event.objects.filter(shopper=shopper, kind__in=ORDERS, at__in=moments, product__isnull=False)
        .order_by("-amount")
        .values_list(
            "kind", "order_ref", "at", "product__name", "product__sku", "product__image", "product__image_state"
        )
    )
    named: dict[tuple[str, str, datetime], list[tuple[str, str]]] = {}
    for kind, ref, at, name, sku, image, state in lines:
        products = named.setdefault((kind, ref, at), [])
        if len(products) < NAMED_PRODUCTS and (name or sku) not in [known for known, _image in products]:
            products.append((name or sku, picture_address(sku, image, state)))
    return [_named(entry, named.get((entry.kind, entry.order_ref, entry.at), [])) for entry in entries]


def _named(entry: Entry, products: list[tuple[str, str]]) -> Entry:
    if not products:
        return entry
    return replace(entry, products=[name for name, _image in products], image=products[0][1])


def _with_mails(entries: list[Entry]) -> list[Entry]:
    """Name the campaign behind opens and clicks."""
    uuids = {entry.message for entry in entries if entry.message and not entry.mail}
    if not uuids:
        return entries
    names = dict(Message.objects.filter(uuid__in=uuids).values_list("uuid", "campaign__name"))
    return [replace(entry, mail=names.get(entry.message, entry.mail)) if entry.message else entry for entry in entries]
