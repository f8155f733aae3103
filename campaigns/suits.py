"""Who a campaign suits best: how many of its audience are likely to like it, why, and the audience of just these."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from behaviour import consent
from campaigns import planning, services, themes
from campaigns.models import Campaign, ThemeRun
from mailai.errors import InputError, StateError
from mailai.stats import wilson
from recommender.core.theme_exam import LIKELY
from segments import lists, name_rules, reading, rules
from segments import services as segment_services
from segments.list_writing import AT_ONCE
from segments.models import Segment

# Of a larger audience so many are asked for the page; the seed is fixed, so that a reload says the same.
SAMPLE, SEED = 20_000, 1
N_ALIKE = 3
# A worker that was told, and has not said that it is done.
ASK_AGAIN = timedelta(minutes=5)


@dataclass(frozen=True)
class Suits:
    """What the card says. ``low`` and ``high`` bound the number of the likely where only a sample was asked."""

    standing: str
    run: ThemeRun | None
    n_audience: int = 0
    n_likely: int = 0
    low: int = 0
    high: int = 0
    is_sample: bool = False
    n_by_taste: int = 0
    n_without_mails: int = 0
    rate_likely: float = 0.0
    rate_all: float = 0.0
    alike: list[tuple[Campaign, float, float]] = field(default_factory=list)

    @property
    def n_lively(self) -> int:
        """How many of the likely react more to whatever is sent."""
        return self.n_likely - self.n_by_taste

    @property
    def share(self) -> float:
        """The likely among the audience."""
        return self.n_likely / self.n_audience if self.n_audience else 0.0


def suits(campaign: Campaign) -> Suits:
    """Work the card out; a sample of a large audience."""
    run = themes.current()
    standing = themes.standing(run, "difference")
    if run is None or standing != themes.PASSED:
        return Suits(standing, run)
    ids = _audience(campaign)
    asked = ids if len(ids) <= SAMPLE else np.sort(np.random.default_rng(SEED).choice(ids, SAMPLE, replace=False))
    found = themes.likings(run, campaign, asked.tolist(), timezone.now())
    likely, usual = found.factor >= LIKELY, themes.click_rate(run, campaign)
    scale = len(ids) / max(len(asked), 1)
    ends = wilson(int(likely.sum()), len(asked)) if scale > 1 else (likely.mean() if len(asked) else 0.0,) * 2
    return Suits(
        standing, run, n_audience=len(ids), n_likely=round(likely.sum() * scale),
        low=round(ends[0] * len(ids)), high=round(ends[1] * len(ids)), is_sample=scale > 1,
        n_by_taste=round((likely & found.by_taste).sum() * scale),
        n_without_mails=round((found.n_mails == 0).sum() * scale),
        rate_likely=_rate(usual, found.factor[likely]), rate_all=_rate(usual, found.factor),
        alike=themes.alike(run, campaign, N_ALIKE),
    )  # fmt: skip


def _rate(usual: float, factors: np.ndarray) -> float:
    return float(np.minimum(usual * factors, 1.0).mean()) if len(factors) else 0.0


def is_small(campaign: Campaign) -> bool:
    """Say whether a browser can wait until everybody of the audience was asked."""
    return consent.mailable(planning.audience(campaign)).count() <= AT_ONCE


def audience_key(campaign: Campaign) -> str:
    """Return what names the audience of a draft: who clicks twice, or in an old window, says which one she saw."""
    return salted_hmac("campaigns.suits", json.dumps([campaign.segment_id, campaign.rule], sort_keys=True)).hexdigest()


def begin(campaign: Campaign, *, by: Any, audience: str = "") -> Campaign:
    """Note on a draft what those who are likely to like it become, and return it as it stands; asked twice, the same.

    ``audience`` is the one that the marketer saw (`audience_key`), "" = whichever it is.

    Raises
    ------
    StateError : it is no draft any more, or its audience is not the one that she saw.
    """
    with transaction.atomic():
        services.draft_of(campaign)
        now = Campaign.objects.select_related("segment").get(pk=campaign.pk)
        if audience not in ("", audience_key(now)):
            raise StateError(_changed())
        base = _("Likely to like “%(name)s”") % {"name": now.name[: name_rules.NAME_LENGTH - 40]}
        now.narrowing_to, now.narrowing_refused = now.narrowing_to or lists.free(base), ""
        now.narrowing_at, now.narrowing_by = timezone.now(), by
        now.save(update_fields=["narrowing_to", "narrowing_refused", "narrowing_at", "narrowing_by"])
    return now


def left() -> list[int]:
    """Return the drafts of whose search no worker was told for a while, and note that one is told now.

    A message may be lost; where a worker is still at it, the second one finds the same list.
    """
    old = timezone.now() - ASK_AGAIN
    # What was wished before the moment was noted waits too.
    quiet = Q(narrowing_at__lt=old) | Q(narrowing_at=None)
    drafts = Campaign.objects.filter(quiet, state=Campaign.State.DRAFT).exclude(narrowing_to="")
    ids = list(drafts.values_list("pk", flat=True))
    return [pk for pk in ids if drafts.filter(pk=pk).update(narrowing_at=timezone.now())]


def go_on(campaign_id: int) -> Segment | None:
    """Do what was noted of a draft; nothing where that is done, or the audience is another by now."""
    noted = Campaign.objects.select_related("segment", "narrowing_by").exclude(narrowing_to="")
    campaign = noted.filter(pk=campaign_id, state=Campaign.State.DRAFT).first()
    if campaign is None:
        return None
    Campaign.objects.filter(pk=campaign_id).update(narrowing_at=timezone.now())
    return keep_likely(campaign, by=campaign.narrowing_by)


def keep_likely(campaign: Campaign, *, by: Any) -> Segment:
    """Send a draft only to those who are likely to like it: they become a list, which every rule can ask for.

    Of a draft that `begin` returned, the list has the name that was noted: run twice, or after a kill, it is one list
    and one segment. A refusal stands on the draft as well.

    Raises
    ------
    StateError : it is no draft any more, its audience was changed meanwhile, or the choice has not passed its test:
        then everybody gets it.
    InputError : nobody is likely to.
    """
    asked = campaign if campaign.narrowing_to else begin(campaign, by=by)
    try:
        return _narrowed(asked, by=by)
    except (InputError, StateError) as error:
        _refuse(asked, str(error))
        raise
    except Exception:
        _refuse(
            asked, _("The search stopped with an error that nobody expected. The email goes to everybody you chose.")
        )
        raise


@transaction.atomic
def _refuse(asked: Campaign, why: str) -> None:
    """Let a draft say why nobody was chosen, unless another search began since, or one for another audience."""
    drafts = Campaign.objects.select_for_update().filter(pk=asked.pk, state=Campaign.State.DRAFT)
    now = drafts.filter(narrowing_to__in=("", asked.narrowing_to)).first()
    if now and (now.segment_id, now.rule) == (asked.segment_id, asked.rule):
        Campaign.objects.filter(pk=now.pk).update(narrowing_to="", narrowing_refused=why[:500])


def _narrowed(asked: Campaign, *, by: Any) -> Segment:
    services.draft_of(asked)
    run = themes.current()
    if run is None or themes.standing(run, "difference") != themes.PASSED:
        raise StateError(_("Who likes which email can't be told well enough yet, so nobody is left out."))
    ids = themes.likely(run, asked, _audience(asked).tolist(), timezone.now())
    if not len(ids):
        raise InputError(_("Nobody of this audience is likely to like it more than others do."))
    # A list of this name may be for the audience that she chose meanwhile.
    if not Campaign.objects.filter(pk=asked.pk, segment=asked.segment_id).exists():
        raise StateError(_changed())
    made = lists.freeze_shoppers(ids, name=asked.narrowing_to, by=by)
    rule = {"all": [*_before(asked), {"list": str(made.uuid)}]}
    with transaction.atomic():
        # In the order of whoever saves an audience.
        rules.turns.wait()
        services.draft_of(asked)
        now = Campaign.objects.select_related("segment").get(pk=asked.pk)
        if now.segment and now.segment.rule == rule:
            # Somebody else did the same meanwhile.
            return now.segment
        if (now.segment_id, now.rule) != (asked.segment_id, asked.rule):
            raise StateError(_changed())
        segment = segment_services.segment_of(rule, name=made.name, by=by)
        # Choosing took a while, in which the marketer may have gone on: what else she wrote stays.
        services.set_audience(now, name=now.name, segment=segment, control_share=now.control_share, by=by)
    return segment


def _changed() -> str:
    return _("The audience was changed meanwhile, so it stays as it is.")


def _before(campaign: Campaign) -> list[dict[str, Any]]:
    """Return what the audience was so far: who leaves it until the sending is left out of the chosen ones too."""
    if campaign.segment:
        return [{"segment": str(campaign.segment.uuid)}]
    return [campaign.rule] if campaign.rule else []


def _audience(campaign: Campaign) -> np.ndarray:
    return reading.ids(consent.mailable(planning.audience(campaign)))
