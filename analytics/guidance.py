"""The set-up list and the suggestions on Today: only what the database says, each with the page where it is done."""

import json
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from behaviour import consent
from behaviour.models import Event, Shop, Shopper
from campaigns.models import Campaign, Message, Sender
from mailai.accounts.models import Invitation, User
from mailai.ui.numbers import count
from mailai.ui.shell import allowed_url
from recommender.models import Champion
from segments.models import Profile, Segment
from segments.queries import reach

MAX_SUGGESTIONS = 3
# How many segments are looked through for one of drifting shoppers, and how its rule names them.
MAX_SEGMENTS_READ = 50
AT_RISK = f'"{Profile.Stage.AT_RISK.value}"'


@dataclass(frozen=True)
class Step:
    """One step of the set-up list; ``url`` is empty where the user can't do it."""

    key: str
    title: str
    text: str
    action: str
    url: str
    done: bool


@dataclass(frozen=True)
class Suggestion:
    """Something worth doing, why, and where."""

    what: str
    why: str
    action: str
    url: str


def setup_steps(user: Any, shop: Shop) -> list[Step]:
    """Return the six steps to the first campaign, done or not."""
    people = User.objects.filter(is_active=True).count()
    return [
        Step(
            "workspace",
            _("Describe your shop"),
            _("%(name)s, amounts in %(currency)s, %(timezone)s time. Mails need its postal address.")
            % {"name": shop.name, "currency": shop.currency, "timezone": shop.timezone},
            _("Open the settings"),
            allowed_url(user, "behaviour:shop"),
            bool(shop.postal_address),
        ),
        Step(
            "team",
            _("Invite your team"),
            ngettext("%(count)s person can log in", "%(count)s people can log in", people) % {"count": count(people)},
            _("Invite someone"),
            allowed_url(user, "accounts:team"),
            people > 1 or Invitation.objects.exists(),
        ),
        Step(
            "data",
            _("Upload your shop data"),
            _("One CSV of views, carts, orders or clicks is enough to start. We find the columns for you."),
            _("Upload a file"),
            allowed_url(user, "behaviour:import_new"),
            Event.objects.exists(),
        ),
        Step(
            "sender",
            _("Connect a sending account"),
            _("Any SMTP server, or the demo inbox to try everything without one"),
            _("Connect"),
            allowed_url(user, "campaigns:senders"),
            Sender.objects.exists(),
        ),
        Step(
            "model",
            _("Train the recommender"),
            _("It learns from your orders what each shopper may like next"),
            _("Train"),
            allowed_url(user, "recommender:models"),
            Champion.objects.exists(),
        ),
        Step(
            "campaign",
            _("Send your first campaign"),
            _("Start from a ready-made template with picks for each shopper"),
            _("New campaign"),
            allowed_url(user, "campaigns:new"),
            Message.objects.filter(state=Message.State.SENT).exists(),
        ),
    ]


def suggestions(user: Any, shop: Shop) -> list[Suggestion]:
    """Return at most three things to do next, the most pressing first, that this user may do."""
    found = [_paused(user), _train(user), _draft(user), _at_risk(user), _first_segment(user), _reactions(user, shop)]
    return [one for one in found if one and one.url][:MAX_SUGGESTIONS]


def _paused(user: Any) -> Suggestion | None:
    campaign = Campaign.objects.filter(state=Campaign.State.PAUSED).first()
    if campaign is None:
        return None
    return Suggestion(
        _("Look after “%(name)s”, which is paused") % {"name": campaign.name},
        campaign.pause_reason or _("It waits until somebody goes on with it or cancels it."),
        _("Open"),
        allowed_url(user, "campaigns:list"),
    )


def _train(user: Any) -> Suggestion | None:
    if Champion.objects.exists() or not Event.objects.filter(kind=Event.Kind.PURCHASE).exists():
        return None
    return Suggestion(
        _("Train the recommender"),
        _("There are orders to learn from. Until then everybody sees the most popular products."),
        _("Train"),
        allowed_url(user, "recommender:models"),
    )


def _draft(user: Any) -> Suggestion | None:
    draft = Campaign.objects.filter(state=Campaign.State.DRAFT).order_by("-updated_at").first()
    if draft is None:
        return None
    return Suggestion(
        _("Finish “%(name)s”") % {"name": draft.name},
        _("It is still a draft. Nothing is sent before you say so on the last step."),
        _("Open the draft"),
        allowed_url(user, "campaigns:new") and reverse("campaigns:audience", args=[draft.uuid]),
    )


def _at_risk(user: Any) -> Suggestion | None:
    """Suggest a mail to the shop's own segment of drifting shoppers, or to make one."""
    segment = next((one for one in Segment.objects.all()[:MAX_SEGMENTS_READ] if AT_RISK in json.dumps(one.rule)), None)
    if segment:
        n_mailable = reach(segment.rule).mailable
        url = allowed_url(user, "campaigns:new") and f"{reverse('campaigns:new')}?segment={segment.uuid}"
    else:
        n_mailable = consent.mailable(Shopper.objects.filter(profile__stage=Profile.Stage.AT_RISK)).count()
        url = allowed_url(user, "segments:new")
    if not n_mailable:
        return None
    return Suggestion(
        ngettext(
            "Win back %(count)s shopper who is drifting away",
            "Win back %(count)s shoppers who are drifting away",
            n_mailable,
        )
        % {"count": count(n_mailable)},
        _("They ordered before, are later than your shoppers usually are, and may be emailed."),
        _("Start a campaign") if segment else _("Make a segment"),
        url,
    )


def _first_segment(user: Any) -> Suggestion | None:
    if Segment.objects.exists() or not Profile.objects.exists():
        return None
    return Suggestion(
        _("Make your first segment"),
        _("Group shoppers by what they bought, when they were here last, and how they answer mails."),
        _("New segment"),
        allowed_url(user, "segments:new"),
    )


def _reactions(user: Any, shop: Shop) -> Suggestion | None:
    if shop.demo_reacts:
        return None
    campaign = (
        Campaign.objects.filter(state__in=[Campaign.State.RUNNING, Campaign.State.FINISHED])
        .filter(Exists(Message.objects.filter(campaign=OuterRef("pk"), state=Message.State.SENT, shopper__demo=True)))
        .first()
    )
    if campaign is None:
        return None
    return Suggestion(
        _("Let the demo shoppers answer"),
        _("Its invented shoppers can open, click and buy, so that the report fills. Real data stay untouched."),
        _("Open the report"),
        reverse("analytics:report", args=[campaign.uuid]),
    )


def n_in_doubt() -> int:
    """Count messages whose delivery nobody confirmed; they are never sent again by themselves."""
    return Message.objects.filter(state=Message.State.IN_DOUBT).count()


def is_first_run() -> bool:
    """Say whether there is nobody to show anything about."""
    return not Shopper.objects.exists()
