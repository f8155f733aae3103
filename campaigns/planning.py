"""Who gets a campaign, who does not and why; and the plan: one Message for everybody of the audience."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, CharField, Count, F, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour import consent
from behaviour.models import Shop, Shopper, stable_draw
from campaigns import content, picking
from campaigns.core import decisions
from campaigns.models import Campaign, Message, TrackedLink
from mailai.accounts import audit
from mailai.claims import claim_one
from mailai.errors import InputError, StateError
from recommender.picks import Pick
from recommender.services import champion
from segments import rules

BATCH = 1000
DRAW = "campaign-arm"
CAP_WINDOW = timedelta(days=7)
# A claimed planning that gives no sign of life for so long is taken over.
PLANNING_DEAD_AFTER = timedelta(seconds=60)
State = Campaign.State


@dataclass(frozen=True)
class Fall:
    """From the segment to the recipients. total = sum(excluded) + held_back + recipients."""

    total: int
    excluded: dict[str, int]
    held_back: int
    recipients: int
    seconds: float = 0.0

    @property
    def reasons(self) -> list[tuple[str, Any, int]]:
        """Return (key, label, count) of who is left out, most first."""
        rows = [(key, Message.Skip(key).label, count) for key, count in self.excluded.items() if count]
        return sorted(rows, key=lambda row: -row[2])


def rule_of(campaign: Campaign) -> dict[str, Any]:
    """Return the rule that a campaign's audience follows; once planned, the frozen one."""
    if campaign.rule is not None:
        return campaign.rule
    return campaign.segment.rule if campaign.segment else rules.EVERYBODY


def audience(campaign: Campaign, now: datetime | None = None) -> "QuerySet[Shopper]":
    """Return the shoppers of a campaign; the rule stands in a subquery, so its joins can't multiply rows."""
    return Shopper.objects.filter(pk__in=rules.matching(rule_of(campaign), now).values("pk"))


def with_skip_reason(shoppers: "QuerySet[Shopper]", now: datetime, cap: int) -> "QuerySet[Shopper]":
    """Annotate ``skip``: why a shopper can't get a mail now, or "". Set-based; one pass over the audience."""
    capped = (
        Message.objects.filter(state=Message.State.SENT, sent_at__gte=now - CAP_WINDOW)
        .order_by()
        .values("shopper")
        .annotate(n=Count("pk"))
        .filter(n__gte=cap)
        .values("shopper")
    )
    cases = [When(exclusion="", pk__in=capped, then=Value(Message.Skip.FREQUENCY_CAP.value))] if cap else []
    return consent.with_exclusion(shoppers).annotate(
        skip=Case(*cases, default=F("exclusion"), output_field=CharField())
    )


def audience_fall(campaign: Campaign, now: datetime | None = None) -> Fall:
    """Count the audience by reason; who would be held back is the expected number, since draws come with the plan."""
    started, now = timezone.now(), now or timezone.now()
    shoppers = with_skip_reason(audience(campaign, now), now, Shop.current().frequency_cap)
    rows = shoppers.order_by().values("skip").annotate(n=Count("pk"))  # type: ignore[misc]
    counts: dict[str, int] = {row["skip"]: row["n"] for row in rows}
    eligible = counts.pop("", 0)
    held_back = round(eligible * campaign.control_share)
    seconds = (timezone.now() - started).total_seconds()
    return Fall(eligible + sum(counts.values()), counts, held_back, eligible - held_back, seconds)


def blocking_problems(campaign: Campaign) -> list[str]:
    """Return why a campaign can't be sent, each with what to do; empty when it can."""
    found = []
    if campaign.sender is None:
        found.append(_("Choose a sender on the step “Timing”."))
    if not Shop.current().postal_address.strip():
        found.append(_("The footer needs the shop's postal address. An admin writes it under Admin, Shop."))
    variants = list(campaign.variants.all())
    if not variants:
        found.append(_("The email has no content yet. Choose a starter or write MJML."))
    for variant in variants:
        found += [problem.text for problem in content.problems_of(variant) if problem.blocks]
    return found


def schedule(campaign: Campaign, *, send_at: datetime, by: Any = None) -> None:
    """Set a draft on its way; it is planned at ``send_at``.

    Raises
    ------
    InputError : the mail has a fault, or nobody would get it; the text says what to do.
    StateError : it is no draft any more.
    """
    found = blocking_problems(campaign)
    if found:
        raise InputError(found[0])
    if not audience_fall(campaign).recipients:
        raise InputError(_("Nobody would get this email. Look at the reasons on the step “Audience” and widen it."))
    if not claim_one(campaign, from_status=State.DRAFT, to_status=State.SCHEDULED, send_at=send_at):
        raise StateError(_("This campaign is not a draft any more."))
    audit.record("campaign.schedule", campaign, by=by, send_at=send_at.isoformat())


def pause(campaign: Campaign, *, by: Any = None, reason: str = "") -> bool:
    """Stop sending after the mails that are on the wire; says whether this call did it."""
    done = claim_one(campaign, from_status=State.RUNNING, to_status=State.PAUSED, pause_reason=reason[:500])
    if done:
        audit.record("campaign.pause", campaign, by=by, reason=reason)
    return done


def resume(campaign: Campaign, *, by: Any = None) -> None:
    """Go on where a pause stopped; nobody gets a mail twice."""
    if not claim_one(campaign, from_status=State.PAUSED, to_status=State.RUNNING, pause_reason=""):
        raise StateError(_("Only a paused campaign can go on."))
    audit.record("campaign.resume", campaign, by=by)


def cancel(campaign: Campaign, *, by: Any = None) -> None:
    """End a campaign for good; what was sent stays sent, the rest is skipped."""
    alive = Campaign.objects.filter(pk=campaign.pk).exclude(state__in=[State.FINISHED, State.CANCELLED])
    if not alive.update(state=State.CANCELLED, finished_at=timezone.now()):
        raise StateError(_("This campaign has ended already."))
    waiting = Message.objects.filter(campaign=campaign, state=Message.State.PLANNED)
    waiting.update(state=Message.State.SKIPPED, skip_reason=Message.Skip.CANCELLED)
    audit.record("campaign.cancel", campaign, by=by)


def plan_campaign(campaign_id: int, now: datetime | None = None) -> bool:
    """Write one Message for everybody of the audience; says whether this call finished the plan.

    Can be run twice and after a kill: the state is claimed, rows are unique, what is there is passed over. A million
    shoppers: a thousand transactions of a thousand rows, and the picks' cost (recommender.serving).
    """
    now = now or timezone.now()
    rows = Campaign.objects.filter(pk=campaign_id)
    stale = rows.filter(state=State.PLANNING, updated_at__lt=timezone.now() - PLANNING_DEAD_AFTER)
    fresh = rows.filter(state__in=[State.SCHEDULED, State.DRAFT])
    beat = {"state": State.PLANNING, "updated_at": timezone.now()}
    if not (fresh.update(**beat) or stale.update(**beat)):
        return False
    campaign = rows.select_related("segment", "sender").get()
    found = blocking_problems(campaign)
    if found:
        rows.update(state=State.DRAFT, pause_reason=found[0][:500])
        raise InputError(found[0])
    _freeze(campaign, now)
    _write_messages(campaign, now)
    return claim_one(campaign, from_status=State.PLANNING, to_status=State.RUNNING, planned_at=now)


@transaction.atomic
def _freeze(campaign: Campaign, now: datetime) -> None:
    """Fix rule, seed, model and content; done once, a second call changes nothing."""
    if campaign.seed:
        return
    campaign.rule = rule_of(campaign)
    campaign.run = campaign.run or champion()
    campaign.seed = secrets.randbits(53) | 1
    campaign.send_at = campaign.send_at or now
    shop, number = Shop.current(), 1
    for variant in campaign.variants.all():
        compiled, links = content.compile_variant(variant, shop.url or settings.MAILAI_PUBLIC_URL, number)
        variant.compiled = compiled
        variant.save(update_fields=["compiled"])
        TrackedLink.objects.bulk_create(
            TrackedLink(campaign=campaign, number=number + n, url=link.url, pick=link.pick, label=link.url[:120])
            for n, link in enumerate(links)
        )
        number += len(links)
    campaign.save(update_fields=["rule", "run", "seed", "send_at"])


def _write_messages(campaign: Campaign, now: datetime) -> None:
    """Plan whoever has no Message yet. The audience is read once, so a segment that moves meanwhile changes nothing."""
    shop = Shop.current()
    planned = Message.objects.filter(campaign=campaign).values("shopper")
    waiting = list(audience(campaign, now).exclude(pk__in=planned).order_by("pk").values_list("pk", flat=True))
    variants = list(campaign.variants.all())
    n_picks = max(variant.compiled["n_picks"] for variant in variants)
    for start in range(0, len(waiting), BATCH):
        batch = Shopper.objects.filter(pk__in=waiting[start : start + BATCH])
        shoppers = list(with_skip_reason(batch, now, shop.frequency_cap).order_by("pk"))
        eligible = [shopper.pk for shopper in shoppers if not shopper.skip]  # type: ignore[attr-defined]
        picks = picking.plan_picks(campaign, eligible, n_picks, now)
        messages = [_message(campaign, variants, shopper, picks.get(shopper.pk, []), now, shop) for shopper in shoppers]
        Message.objects.bulk_create(messages, ignore_conflicts=True)
        Campaign.objects.filter(pk=campaign.pk).update(updated_at=timezone.now())


def _message(
    campaign: Campaign, variants: Sequence[Any], shopper: Any, picks: list[Pick], now: datetime, shop: Shop
) -> Message:
    """Draw this shopper's arm and write the whole decision down."""
    draw = stable_draw(DRAW, campaign.seed, shopper.pseudonym)
    due_at = max(campaign.send_at or now, now)
    local = due_at.astimezone(shop.zone)
    message = Message(
        campaign=campaign, shopper=shopper, arm="", probability=1.0, draw=draw, run=campaign.run,
        hour=local.weekday() * 24 + local.hour, planned_at=now, due_at=due_at,
    )  # fmt: skip
    if shopper.skip:
        message.state, message.skip_reason = Message.State.SKIPPED, shopper.skip
        return message
    shares = [(variant.label, variant.share) for variant in variants]
    decision = decisions.choose(draw, campaign.control_share, shares)
    message.arm, message.probability = decision.arm, decision.probability
    if decision.arm == decisions.CONTROL:
        message.state = Message.State.CONTROL
    else:
        message.variant = next(variant for variant in variants if variant.label == decision.arm)
    own, spare = _shares(picks, message.variant, variants)
    message.picks, message.spare_picks = [pick.to_json() for pick in own], [pick.to_json() for pick in spare]
    return message


def _shares(picks: list[Pick], variant: Any, variants: Sequence[Any]) -> tuple[list[Pick], list[Pick]]:
    """Return what her mail shows and what stands ready behind it; the control group would have seen the longest."""
    if variant is None:
        return picks[: max(one.compiled["n_picks"] for one in variants)], []
    n = variant.compiled["n_picks"]
    return picks[:n], picks[n : n + picking.SPARE]
