"""How good the choice of mails is: learnt from the older mails, asked about the newest, which it has not seen."""

from dataclasses import dataclass

import numpy as np

from recommender.core.intervals import Interval, interval, resampled_means
from recommender.core.themes import Exposures, expected_rates, learn, liking

# Expected to react by so much more than usual: she is likely to like it.
LIKELY = 1.2
TEST_SHARE = 0.2
MIN_LEARNT, MIN_TESTED = 2, 2
# Fewer than so many clicks in the test tell nothing.
MIN_CLICKS = 30
# Answers of fewer shoppers prove nothing: drawn again and again, a handful are always the same.
MIN_SHOPPERS = 30


@dataclass(frozen=True)
class Exam:
    """What came out.

    Attributes
    ----------
    n_learnt, n_tested : themes before and after the split
    n_mails, n_clicks : of the tested themes
    likely, others : click rates of those who were likely to like a mail, and of the rest
    difference : likely less others, with its interval over shoppers
    n_likely : mails of the likely
    n_likely_shoppers, n_other_shoppers : shoppers with a mail of the likely, and with one of the rest
    n_choosers : shoppers with several of the tested mails, of which they clicked some and not all
    picked, popular : share of them who clicked the mail that was chosen for them, and the one most clicked overall
    gain : picked less popular, paired, with its interval over these shoppers
    """

    n_learnt: int
    n_tested: int
    n_mails: int
    n_clicks: int
    likely: float
    others: float
    difference: Interval
    n_likely: int
    n_likely_shoppers: int
    n_other_shoppers: int
    n_choosers: int
    picked: float
    popular: float
    gain: Interval


def examine(sent: Exposures, among: np.ndarray, *, seed: int = 0) -> Exam | None:
    """Return the exam of themes that stand in the order of their sending; None where there is too little to ask.

    The newest fifth of the themes is held back, at least two; at least two others are learnt from. Both choices, the
    personal one and "most clicked overall", know of a tested mail only what it says: its rate is that of the mails like
    it, so that they differ in nothing but the shopper. Equal scores share the place. An interval over fewer than
    MIN_SHOPPERS shoppers is narrower than it may be, and must not be read.
    """
    n_themes = sent.shape[1]
    n_tested = max(MIN_TESTED, round(n_themes * TEST_SHARE))
    first = n_themes - n_tested
    if first < MIN_LEARNT:
        return None
    themes = learn(sent.of(sent.themes < first), among)
    tested = sent.of(sent.themes >= first)
    if tested.clicked.sum() < MIN_CLICKS:
        return None
    kin = np.where(np.arange(n_themes) < first, among[first:], 0.0)
    factors = np.stack([liking(themes, row).factor for row in kin])
    own = factors[tested.themes - first, tested.shoppers]
    rates = expected_rates(themes.rates, themes.sent, kin)[tested.themes - first]
    is_likely = own >= LIKELY
    likely, others, difference = _groups(tested, is_likely, seed)
    hits = _hits(tested, {"picked": rates * own, "popular": rates})
    gain = _paired(hits, seed)
    return Exam(
        n_learnt=first, n_tested=n_tested, n_mails=len(tested.themes), n_clicks=int(tested.clicked.sum()),
        likely=likely, others=others, difference=difference, n_likely=int(is_likely.sum()),
        n_likely_shoppers=len(np.unique(tested.shoppers[is_likely])),
        n_other_shoppers=len(np.unique(tested.shoppers[~is_likely])),
        n_choosers=len(hits), picked=float(hits[:, 0].mean()) if len(hits) else 0.0,
        popular=float(hits[:, 1].mean()) if len(hits) else 0.0, gain=gain,
    )  # fmt: skip


def _groups(tested: Exposures, likely: np.ndarray, seed: int) -> tuple[float, float, Interval]:
    """Return the click rates of both groups and their difference; shoppers are drawn, with all their mails."""
    columns = [likely, likely & tested.clicked, ~likely, ~likely & tested.clicked]
    sums = np.stack([np.bincount(tested.shoppers, weights=c, minlength=tested.shape[0]) for c in columns], axis=1)
    sums = sums[np.unique(tested.shoppers)]
    total = sums.sum(axis=0)
    if not total[0] or not total[2]:
        return 0.0, 0.0, {"value": 0.0, "low": 0.0, "high": 0.0}
    drawn = resampled_means(sums, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        differences = np.nan_to_num(drawn[:, 1] / drawn[:, 0]) - np.nan_to_num(drawn[:, 3] / drawn[:, 2])
    rates = float(total[1] / total[0]), float(total[3] / total[2])
    return *rates, interval(rates[0] - rates[1], differences)


def _hits(tested: Exposures, scores: dict[str, np.ndarray]) -> np.ndarray:
    """Return for each chooser the share of her best-scored mails that she clicked, a column for each way to score."""
    n = np.bincount(tested.shoppers, minlength=tested.shape[0])
    clicks = np.bincount(tested.shoppers, weights=tested.clicked, minlength=tested.shape[0])
    chooser = (n > 1) & (clicks > 0) & (clicks < n)
    columns = []
    for score in scores.values():
        best = np.full(tested.shape[0], -np.inf)
        np.maximum.at(best, tested.shoppers, score)
        top = score >= best[tested.shoppers] * (1 - 1e-12)
        tops = np.bincount(tested.shoppers, weights=top, minlength=tested.shape[0])
        hits = np.bincount(tested.shoppers, weights=top & tested.clicked, minlength=tested.shape[0])
        columns.append(hits[chooser] / tops[chooser])
    return np.stack(columns, axis=1)


def _paired(hits: np.ndarray, seed: int) -> Interval:
    if not len(hits):
        return {"value": 0.0, "low": 0.0, "high": 0.0}
    gains = hits[:, :1] - hits[:, 1:2]
    return interval(float(gains.mean()), resampled_means(gains, seed)[:, 0])
