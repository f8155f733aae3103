"""Sending. A message is claimed, asked for permission again, fenced before the wire, and never sent again in doubt."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour import consent
from behaviour.models import Shopper
from campaigns import picking, planning, rendering, senders
from campaigns.models import Campaign, DeliveryAttempt, Message, Sender, Variant
from mailai.accounts import audit
from mailai.errors import DeliveryError

logger = logging.getLogger(__name__)
BATCH = 100
# Between batches other writers get their turn: SQLite's write lock is not fair.
PAUSE_SECONDS = 0.02
CONNECT_TRIES = 3
RETRY_MINUTES = (1, 5, 15, 60, 240)
State = Message.State


@dataclass(frozen=True)
class _Work:
    """What one batch needs at hand."""

    campaign: Campaign
    sender: Sender
    token: UUID
    connection: Any


def send_due(campaign_id: int, *, now: datetime | None = None, seconds: float | None = None) -> int:
    """Send what is due, batch by batch, for at most ``seconds``; return how many messages left this process."""
    deadline, sent = (time.monotonic() + seconds) if seconds else None, 0
    while True:
        handled, left = send_batch(campaign_id, now=now)
        sent += left
        if not handled or (deadline and time.monotonic() > deadline):
            return sent
        time.sleep(PAUSE_SECONDS)


def send_batch(campaign_id: int, *, now: datetime | None = None) -> tuple[int, int]:
    """Send one batch and return (messages handled, messages sent). Run twice, it sends nothing twice."""
    campaign = Campaign.objects.select_related("sender", "run").filter(pk=campaign_id).first()
    if campaign is None or campaign.state != Campaign.State.RUNNING or campaign.sender is None:
        return 0, 0
    token = uuid4()
    if not _claim(campaign, token, now or timezone.now()):
        return 0, 0
    try:
        connection = _connect(campaign.sender)
    except DeliveryError as error:
        _release(token)
        planning.pause(campaign, reason=str(error))
        Sender.objects.filter(pk=campaign.sender.pk).update(last_error=str(error)[:500], checked_at=timezone.now())
        return 0, 0
    try:
        return _send_claimed(_Work(campaign, campaign.sender, token, connection))
    finally:
        connection.close()
        # What a pause or an error left claimed goes back, untouched.
        _release(token)


def _claim(campaign: Campaign, token: UUID, now: datetime) -> int:
    """Take the next due messages; of two workers one wins each row."""
    with transaction.atomic():
        if campaign.sender and campaign.sender.hourly_limit:
            # Writing the sender's row makes workers count one after the other, on SQLite and PostgreSQL alike.
            Sender.objects.filter(pk=campaign.sender.pk).update(hourly_limit=F("hourly_limit"))
        size = min(BATCH, allowance(campaign.sender))
        due = Message.objects.filter(campaign=campaign, state=State.PLANNED, due_at__lte=now)
        ids = list(due.order_by("due_at", "pk").values_list("pk", flat=True)[:size])
        rows = Message.objects.filter(pk__in=ids, state=State.PLANNED)
        return rows.update(state=State.CLAIMED, claim_token=token, claimed_at=timezone.now())


def allowance(sender: Sender | None) -> int:
    """Return how many messages the sender may still take this hour, over all campaigns and workers."""
    if sender is None or not sender.hourly_limit:
        return BATCH
    of_sender = Message.objects.filter(campaign__sender=sender)
    sent = of_sender.filter(sent_at__gte=timezone.now() - timedelta(hours=1)).count()
    flying = of_sender.filter(state__in=[State.CLAIMED, State.SENDING]).count()
    return max(0, sender.hourly_limit - sent - flying)


def _release(token: UUID) -> None:
    Message.objects.filter(claim_token=token, state=State.CLAIMED).update(
        state=State.PLANNED, claim_token=None, claimed_at=None
    )


def _connect(sender: Sender) -> Any:
    for attempt in range(1, CONNECT_TRIES + 1):
        try:
            return senders.open_connection(sender)
        except DeliveryError:
            if attempt == CONNECT_TRIES:
                raise
            time.sleep(attempt * 0.5)
    raise AssertionError("the loop returns or raises")


def _send_claimed(work: _Work) -> tuple[int, int]:
    claimed = Message.objects.filter(claim_token=work.token, state=State.CLAIMED)
    messages = list(claimed.select_related("shopper", "variant").order_by("due_at", "pk"))
    permitted = _ask_again(messages)
    checked = picking.check(work.campaign, permitted)
    ready = [message for message in permitted if len(checked[message.pk].picks) >= _compiled(message)["n_picks"]]
    _skip([message for message in permitted if message not in ready], Message.Skip.NO_PRODUCTS)
    batch = rendering.read_batch([m.shopper for m in ready], {m.shopper_id: checked[m.pk].picks for m in ready})
    sent = 0
    for message in ready:
        own = checked[message.pk]
        to = batch.identities[message.shopper_id].email if message.shopper_id in batch.identities else ""
        rendered = rendering.render(_compiled(message), message.shopper, own.picks, batch, message=message.uuid)
        try:
            envelope = rendering.email(rendered, work.sender, to, message=message)
        except DeliveryError as error:
            _fail(message, work.token, str(error))
            continue
        if not _fence(work, message, own):
            continue
        try:
            work.connection.deliver(envelope)
        except DeliveryError as error:
            _record_failure(work, message, error)
            if error.broken:
                break
        else:
            _record_success(work, message)
            sent += 1
    logger.info("Campaign %s: %s of %s messages sent", work.campaign.pk, sent, len(messages))
    return len(messages), sent


def _compiled(message: Message) -> dict[str, Any]:
    variant: Variant = message.variant  # type: ignore[assignment]
    return variant.compiled


def _ask_again(messages: list[Message]) -> list[Message]:
    """Skip whoever withdrew, was suppressed or erased since the plan; return the others."""
    shoppers = Shopper.objects.filter(pk__in=[message.shopper_id for message in messages])
    reasons: dict[int, str] = {row.pk: row.exclusion for row in consent.with_exclusion(shoppers)}  # type: ignore[attr-defined]
    for reason in {reason for reason in reasons.values() if reason}:
        _skip([message for message in messages if reasons.get(message.shopper_id) == reason], reason)
    return [message for message in messages if reasons.get(message.shopper_id) == ""]


def _skip(messages: list[Message], reason: str) -> None:
    rows = Message.objects.filter(pk__in=[message.pk for message in messages], state=State.CLAIMED)
    rows.update(state=State.SKIPPED, skip_reason=reason, claim_token=None)


def _record_success(work: _Work, message: Message) -> None:
    now = timezone.now()
    # A slow answer may find the message in doubt already; with the same token the answer settles it.
    open_states = [State.SENDING, State.IN_DOUBT]
    mine = Message.objects.filter(pk=message.pk, state__in=open_states, claim_token=work.token)
    # The server took it: for SMTP that is what can be known, until a bounce says otherwise.
    mine.update(state=State.SENT, sent_at=now, delivered_at=now, error="", spare_picks=[])
    _close_attempt(work, message, "sent")


def _fence(work: _Work, message: Message, own: picking.Checked) -> bool:
    """Compare and set, committed before the first byte leaves: still mine, still running, still permitted.

    A worker that was frozen past its lease, a cancelled campaign, a consent withdrawn, an address suppressed or
    erased a moment ago: all stop here. Other tables are asked by EXISTS, not by joins: a join would move state and
    token into a subselect, which PostgreSQL does not look at again after waiting for another worker's row.
    """
    running = Campaign.objects.filter(pk=work.campaign.pk, state=Campaign.State.RUNNING)
    mailable = consent.mailable(Shopper.objects.filter(pk=OuterRef("shopper_id")))
    mine = Message.objects.filter(
        Exists(running), Exists(mailable), pk=message.pk, state=State.CLAIMED, claim_token=work.token
    )
    with transaction.atomic():
        won = mine.update(
            state=State.SENDING,
            claimed_at=timezone.now(),
            n_attempts=message.n_attempts + 1,
            picks=[pick.to_json() for pick in own.picks],
            spare_picks=[pick.to_json() for pick in own.spare],
        )
        if won:
            DeliveryAttempt.objects.create(message=message, token=work.token)
    return bool(won)


def _record_failure(work: _Work, message: Message, error: DeliveryError) -> None:
    mine = Message.objects.filter(pk=message.pk, state=State.SENDING, claim_token=work.token)
    if error.in_doubt:
        mine.update(state=State.IN_DOUBT, error=str(error)[:300])
        _close_attempt(work, message, "in_doubt", str(error))
    elif error.permanent or message.n_attempts >= len(RETRY_MINUTES):
        mine.update(state=State.FAILED, error=str(error)[:300])
        _close_attempt(work, message, "failed", str(error))
    else:
        due_at = timezone.now() + timedelta(minutes=RETRY_MINUTES[message.n_attempts])
        mine.update(state=State.PLANNED, claim_token=None, due_at=due_at, error=str(error)[:300])
        _close_attempt(work, message, "deferred", str(error))


def _close_attempt(work: _Work, message: Message, outcome: str, detail: str = "") -> None:
    attempt = DeliveryAttempt.objects.filter(message=message, token=work.token)
    attempt.update(finished_at=timezone.now(), outcome=outcome, detail=detail[:300])


def _fail(message: Message, token: UUID, error: str) -> None:
    mine = Message.objects.filter(pk=message.pk, state=State.CLAIMED, claim_token=token)
    mine.update(state=State.FAILED, error=error[:300])


def send_test(campaign: Campaign, variant: Variant, shopper: Shopper, *, to: str, by: Any) -> None:
    """Send one mail to a colleague, rendered as a shopper; nothing is tracked or counted.

    Raises
    ------
    DeliveryError : it could not be handed over; the text says what to do.
    """
    if campaign.sender is None:
        raise DeliveryError(_("Choose a sender first."))
    rendered = rendering.preview(campaign, variant, shopper)
    envelope = rendering.email(rendered, campaign.sender, to)
    envelope.subject = _("[Test] %(subject)s") % {"subject": envelope.subject}
    envelope.of_shopper = None
    connection = senders.open_connection(campaign.sender)
    try:
        connection.deliver(envelope)
    finally:
        connection.close()
    audit.record("campaign.test", campaign, by=by)
