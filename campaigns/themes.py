"""Which mail for whom: learnt from who opened and clicked what before, tested, and used only if the test was passed."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from campaigns import theme_reads
from campaigns.models import Campaign, ThemeRun
from recommender.core import themes as core
from recommender.core.theme_exam import LIKELY, MIN_SHOPPERS, Exam, examine
from recommender.core.theme_text import kinship
from recommender.core.themes import Liking, Rates, Themes

logger = logging.getLogger(__name__)
# Shoppers whose mails are read together; and so many runs are kept, the newest serves.
BATCH, KEPT = 20_000, 10
# Mails that are alike by less than this are called alike by nobody.
ALIKE = 0.3
AGAIN_AFTER = timedelta(days=1)
LOOKED_AT = "new-themes-looked-for"
# Whose answers each use rests on, and what an exam of today says.
ASKED = {"difference": ("n_likely_shoppers", "n_other_shoppers"), "gain": ("n_choosers",)}
SAID = {one.name for one in fields(Exam)}
UNKNOWN, UNTESTED, FAILED, PASSED = "unknown", "untested", "failed", "passed"


@dataclass(frozen=True)
class Choice:
    """One mail for one shopper.

    score : chance that she clicks it; ``factor`` is how much more than usual she does so, 1 where nothing personal is
        known or the test of the choice was not passed. ``alike``: ids of sent campaigns like it that she got, clicked
        ones first.
    """

    campaign_id: int
    score: float
    factor: float
    alike: list[int] = field(default_factory=list)


def learn(now: datetime | None = None) -> ThemeRun | None:
    """Learn from all campaigns that had their time, test it, and keep the result; None where nothing was sent yet."""
    began, now = time.perf_counter(), now or timezone.now()
    ids = theme_reads.campaigns_to_learn_from(now)
    if not ids:
        return None
    sent, _people = theme_reads.mails(ids, now)
    by_id = Campaign.objects.in_bulk(ids)
    among, _none = kinship(theme_reads.said(by_id[pk] for pk in ids), [])
    learnt, exam = core.learn(sent, among), examine(sent, among)
    with transaction.atomic():
        run = ThemeRun.objects.create(
            at=now, model=_model(ids, learnt), exam=asdict(exam) if exam else {}, n_mails=len(sent.themes),
            n_clicks=int(sent.clicked.sum()), n_shoppers=sent.shape[0], seconds=time.perf_counter() - began,
            demo=any(one.demo for one in by_id.values()),
        )  # fmt: skip
        ThemeRun.objects.filter(pk__lt=run.pk).exclude(pk__in=_newest().values("pk")[:KEPT]).delete()
    logger.info("Themes: learnt from %s mails of %s campaigns", run.n_mails, len(ids))
    return run


def is_due(now: datetime | None = None) -> bool:
    """Say whether there is something new to learn: once a day, and sooner when another campaign had its time.

    An exam that says less than those of today is made again at once.
    """
    now, last = now or timezone.now(), current()
    if last is None:
        return theme_reads.settled(now).exists()
    if last.exam and set(last.exam) != SAID:
        return True
    if now - last.at >= AGAIN_AFTER and theme_reads.settled(now).filter(
        sent_at__gt=last.at - theme_reads.SETTLED
    ).exists():  # fmt: skip
        return True
    # Asked every ten minutes: of all mails only those are looked at that had their time since it was asked last.
    since = max(last.at, cache.get(LOOKED_AT, last.at))
    if theme_reads.new_campaigns(since, now, last.model["campaigns"]):
        return True
    cache.set(LOOKED_AT, now, AGAIN_AFTER.total_seconds())
    return False


def current() -> ThemeRun | None:
    """Return what serves: what was learnt of the newest moment, none of the future."""
    return _newest().first()


def _newest() -> "QuerySet[ThemeRun]":
    return ThemeRun.objects.filter(at__lte=timezone.now()).order_by("-at", "-pk")


def standing(run: ThemeRun | None, what: str) -> str:
    """Return whether a use may be trusted: UNKNOWN, UNTESTED, FAILED or PASSED.

    ``what`` is "difference" (the likely click more often than the others) or "gain" (the mail chosen for her is clicked
    more often than the one most clicked overall). Passed is only what lies above zero with its whole interval; what
    fewer than MIN_SHOPPERS shoppers answered is untested.
    """
    if run is None:
        return UNKNOWN
    if not run.exam or min(run.exam.get(name, 0) for name in ASKED[what]) < MIN_SHOPPERS:
        return UNTESTED
    return PASSED if run.exam[what]["low"] > 0 else FAILED


def themes_for(
    shopper_ids: Sequence[int], campaigns: Sequence[Campaign], *, at: datetime | None = None
) -> dict[int, list[Choice]]:
    """Return campaigns for each shopper, the one that suits her best first, from her mails up to ``at`` (default: now).

    A handful of queries for every 20,000 shoppers. Where the choice did not beat "most clicked overall" in its test,
    that is the order for everybody, and every factor is 1; before anything was learnt, the given order.
    """
    moment, run = at or timezone.now(), current()
    if run is None or not campaigns:
        return {pk: [Choice(one.pk, 0.0, 1.0) for one in campaigns] for pk in shopper_ids}
    kin, among = _kinship(run, campaigns)
    rates = core.expected_rates(_rates(run), np.array(run.model["sent"]), kin)
    personal = standing(run, "gain") == PASSED
    found: dict[int, list[Choice]] = {}
    for start in range(0, len(shopper_ids), BATCH):
        batch = list(shopper_ids[start : start + BATCH])
        themes = _themes(run, among, batch, moment)
        factors = np.stack([core.liking(themes, row).factor for row in kin]) if personal else np.ones((len(kin), 1))
        factors = np.broadcast_to(factors, (len(kin), len(batch)))
        scores = np.minimum(rates[:, None] * factors, 1.0)
        for place, pk in enumerate(batch):
            found[pk] = [
                Choice(campaign.pk, float(score), float(factor), _alike(run, themes, place, cosines))
                for campaign, score, factor, cosines in zip(
                    campaigns, scores[:, place], factors[:, place], kin, strict=True
                )
            ]
            found[pk].sort(key=lambda choice: -choice.score)
    return found


def likings(run: ThemeRun, campaign: Campaign, shopper_ids: Sequence[int], at: datetime) -> Liking:
    """Return how much shoppers like a campaign, in their order, from their mails up to a moment."""
    kin, among = _kinship(run, [campaign])
    parts = [
        core.liking(_themes(run, among, list(shopper_ids[start : start + BATCH]), at), kin[0])
        for start in range(0, max(len(shopper_ids), 1), BATCH)
    ]
    return Liking(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("factor", "by_taste", "n_mails")))


def likely(run: ThemeRun, campaign: Campaign, shopper_ids: Sequence[int], at: datetime) -> np.ndarray:
    """Return the ids of those who are likely to like a campaign, ascending."""
    chosen = likings(run, campaign, shopper_ids, at).factor >= LIKELY
    return np.sort(np.array(shopper_ids, np.int64)[chosen])


def click_rate(run: ThemeRun, campaign: Campaign) -> float:
    """Return the click rate that is expected of a campaign: that of those like it."""
    kin, _among = _kinship(run, [campaign])
    return float(core.expected_rates(_rates(run), np.array(run.model["sent"]), kin)[0])


def alike(run: ThemeRun, campaign: Campaign, n: int) -> list[tuple[Campaign, float, float]]:
    """Return the sent campaigns that are most like one: (campaign, how alike, its click rate)."""
    kin, _among = _kinship(run, [campaign])
    ids = run.model["campaigns"]
    # Of equals the newest.
    order = sorted(range(len(ids)), key=lambda place: (-round(kin[0, place], 6), -place))
    best = [place for place in order[:n] if kin[0, place] >= ALIKE]
    rows = Campaign.objects.in_bulk([ids[place] for place in best])
    return [
        (rows[ids[place]], float(kin[0, place]), float(run.model["clicks"][place]))
        for place in best
        if ids[place] in rows
    ]


def _model(ids: list[int], learnt: Themes) -> dict[str, Any]:
    rates = learnt.rates
    return {
        "campaigns": ids, "clicks": rates.clicks.tolist(), "opens": rates.opens.tolist(),
        "sent": learnt.sent.astype(int).tolist(), "shop_clicks": rates.shop_clicks, "shop_opens": rates.shop_opens,
        "lively": learnt.lively, "taste": learnt.taste, "open_worth": learnt.open_worth,
    }  # fmt: skip


def _rates(run: ThemeRun) -> Rates:
    model = run.model
    return Rates(np.array(model["clicks"]), np.array(model["opens"]), model["shop_clicks"], model["shop_opens"])


def _kinship(run: ThemeRun, campaigns: Sequence[Campaign]) -> tuple[np.ndarray, np.ndarray]:
    """Return how alike campaigns are to those learnt from, and the latter among themselves.

    A campaign that was learnt from is not like itself: asked about it, only the others may answer.
    """
    ids = run.model["campaigns"]
    rows = Campaign.objects.in_bulk(ids)
    known = [rows[pk] for pk in ids if pk in rows]
    places = [n for n, pk in enumerate(ids) if pk in rows]
    said = theme_reads.said([*known, *campaigns])
    among, kin = np.eye(len(ids)), np.zeros((len(campaigns), len(ids)))
    among[np.ix_(places, places)], kin[:, places] = kinship(said[: len(known)], said[len(known) :])
    kin[np.array([[one.pk == pk for pk in ids] for one in campaigns], bool).reshape(kin.shape)] = 0.0
    return kin, among


def _themes(run: ThemeRun, among: np.ndarray, shopper_ids: list[int], at: datetime) -> Themes:
    """Return the surprises of a batch beside what was learnt."""
    sent, _people = theme_reads.mails(run.model["campaigns"], at, shopper_ids)
    rates, model = _rates(run), run.model
    return Themes(
        *core.surprises(sent, rates, model["open_worth"]), among, rates, np.array(model["sent"], float),
        model["lively"], model["taste"], model["open_worth"],
    )  # fmt: skip


def _alike(run: ThemeRun, themes: Themes, place: int, kin: np.ndarray) -> list[int]:
    """Return the ids of the mails like it that a shopper got, what she did most with first."""
    cells = slice(*themes.surprise.indptr[place : place + 2])
    did, mails = themes.surprise.data[cells], themes.surprise.indices[cells]
    near = kin[mails] >= ALIKE
    return [run.model["campaigns"][mail] for mail in mails[near][np.argsort(-did[near], kind="stable")]]
