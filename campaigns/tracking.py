"""What became of a mail: opens and clicks from the spool, unsubscribes at once."""

import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from behaviour import consent
from behaviour.core.keys import content_key
from behaviour.models import Consent, ConsentState, Event, Product
from behaviour.services import EventRow, record_events
from campaigns import spool
from campaigns.models import LinkClick, Message, TrackedLink

logger = logging.getLogger(__name__)
CHUNK = 500
OPEN, CLICK = "open", "click"
# Apple's privacy proxy says only this; link scanners and previews name themselves.
MACHINES = re.compile(r"^Mozilla/5\.0$|bot\b|crawl|spider|scan|preview|prefetch|proofpoint|mimecast|barracuda", re.I)


def is_machine(user_agent: str, purpose: str) -> bool:
    """Say whether a program, not a person, asked."""
    return not user_agent or bool(purpose) or bool(MACHINES.search(user_agent))


def note(kind: str, message: UUID, *, number: int = 0, user_agent: str = "", purpose: str = "") -> None:
    """Remember an open or a click; never waits for the database, and a full disk does not stop the answer."""
    machine = is_machine(user_agent, purpose)
    entry = {"kind": kind, "message": message.hex, "number": number, "at": timezone.now().timestamp(), "m": machine}
    try:
        spool.append(entry)
    except OSError:
        logger.exception("An answer to a mail could not be written down")


def load_spool(settle: float = spool.SETTLE_SECONDS) -> int:
    """Store what the spool holds and return how many entries were new. Run twice, nothing counts twice."""
    loaded = 0
    with spool.reading_alone() as alone:
        for file, entries in spool.take(settle) if alone else ():
            for start in range(0, len(entries), CHUNK):
                loaded += _load(entries[start : start + CHUNK])
            file.unlink(missing_ok=True)
    return loaded


@transaction.atomic
def _load(entries: Sequence[dict[str, Any]]) -> int:
    """Store one chunk: events, first times on the messages, clicks per link."""
    uuids = {UUID(entry["message"]) for entry in entries}
    # Locked where the database can, so that a reader of another machine's spool can't write an older first time.
    rows = Message.objects.select_for_update().filter(uuid__in=uuids).order_by("pk")
    messages = {message.uuid: message for message in rows}
    keys = {content_key("own", entry["id"]): entry for entry in entries}
    known = set(Event.objects.filter(dedupe_key__in=keys).values_list("dedupe_key", flat=True))
    fresh = [
        entry
        for key, entry in keys.items()
        if key not in known and UUID(entry["message"]) in messages
    ]  # fmt: skip
    fresh.sort(key=lambda entry: entry["at"])
    links = _links({message.campaign_id for message in messages.values()})
    for entry in fresh:
        _stamp(messages[UUID(entry["message"])], entry)
    stamped = ["opened_at", "machine_opened_at", "clicked_at"]
    Message.objects.bulk_update(messages.values(), stamped)
    people = [entry for entry in fresh if not entry["m"]]
    products = _products(people, messages, links)
    record_events([_event(messages[UUID(entry["message"])], entry, products.get(entry["id"])) for entry in people])
    _count_clicks([entry for entry in people if entry["kind"] == CLICK], messages, links, products)
    return len(fresh)


def _links(campaign_ids: set[int]) -> dict[tuple[int, int], TrackedLink]:
    rows = TrackedLink.objects.filter(campaign__in=campaign_ids)
    return {(link.campaign_id, link.number): link for link in rows}


def _moment(entry: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(entry["at"], UTC)


def _stamp(message: Message, entry: dict[str, Any]) -> None:
    """Write first times; a click by a person means that she opened it, even where pictures are off."""
    at = _moment(entry)
    if entry["m"]:
        message.machine_opened_at = min(filter(None, [message.machine_opened_at, at]))
        return
    message.opened_at = min(filter(None, [message.opened_at, at]))
    if entry["kind"] == CLICK:
        message.clicked_at = min(filter(None, [message.clicked_at, at]))


def product_of(message: Message, link: TrackedLink | None) -> int | None:
    """Return the product behind a link: the one that this shopper had in that pick slot."""
    if link is None or link.pick is None or link.pick > len(message.picks):
        return None
    return int(message.picks[link.pick - 1]["product"])


def _products(
    entries: Sequence[dict[str, Any]], messages: dict[UUID, Message], links: dict[tuple[int, int], TrackedLink]
) -> dict[str, int]:
    """Return the clicked products by entry; one that was removed since then is not among them."""
    found = {}
    for entry in entries:
        message = messages[UUID(entry["message"])]
        if entry["kind"] == CLICK:
            found[entry["id"]] = product_of(message, links.get((message.campaign_id, entry["number"])))
    existing = set(Product.objects.filter(pk__in=[pk for pk in found.values() if pk]).values_list("pk", flat=True))
    return {key: product for key, product in found.items() if product is not None and product in existing}


def _event(message: Message, entry: dict[str, Any], product_id: int | None) -> EventRow:
    clicked = entry["kind"] == CLICK
    return EventRow(
        shopper_id=message.shopper_id,
        kind=Event.Kind.EMAIL_CLICK if clicked else Event.Kind.EMAIL_OPEN,
        at=_moment(entry),
        product_id=product_id,
        message=message.uuid,
        key=entry["id"],
    )


def _count_clicks(
    clicks: Sequence[dict[str, Any]],
    messages: dict[UUID, Message],
    links: dict[tuple[int, int], TrackedLink],
    products: dict[str, int],
) -> None:
    """Keep one row a message and link, with the number of clicks."""
    rows = {
        (row.message_id, row.link_id): row
        for row in LinkClick.objects.filter(message__in=[messages[UUID(entry["message"])] for entry in clicks])
    }
    for entry in clicks:
        message = messages[UUID(entry["message"])]
        link = links.get((message.campaign_id, entry["number"]))
        if link is None:
            continue
        row = rows.get((message.pk, link.pk))
        if row:
            row.n_clicks += 1
        else:
            product = products.get(entry["id"])
            rows[message.pk, link.pk] = LinkClick(
                message=message, link=link, product_id=product, first_at=_moment(entry), n_clicks=1
            )
    LinkClick.objects.bulk_create(
        rows.values(), update_conflicts=True, unique_fields=["message", "link"], update_fields=["n_clicks"]
    )


def unsubscribe(uuid: UUID) -> bool:
    """Withdraw the marketing consent behind a mail, at once; says whether there is such a mail. Repeatable."""
    message = Message.objects.select_related("shopper").filter(uuid=uuid).first()
    if message is None:
        return False
    now = timezone.now()
    with transaction.atomic():
        first = Message.objects.filter(pk=message.pk, unsubscribed_at=None).update(unsubscribed_at=now)
        # Whoever came back and uses an old mail to leave again must leave, too.
        if first or message.shopper.marketing != ConsentState.WITHDRAWN:
            proof = f"one-click unsubscribe of message {uuid}"
            marketing = Consent.Purpose.MARKETING
            consent.withdraw([message.shopper_id], marketing, source="unsubscribe link", at=now, proof=proof)
        if first:
            kind = Event.Kind.UNSUBSCRIBE
            record_events([EventRow(message.shopper_id, kind, now, message=uuid, key=f"unsubscribe:{uuid}")])
    return True
