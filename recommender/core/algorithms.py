"""Which algorithms there are; forms, commands and the leaderboard read this list."""

from typing import Any

from recommender.core.base import Recommender, made
from recommender.core.basket import NextBasket
from recommender.core.blend import Blend, Composite
from recommender.core.content import Content
from recommender.core.factors import Als, Bpr, Svd
from recommender.core.graph import Rp3Beta
from recommender.core.item_based import ItemBm25, ItemCosine, ItemTfidf
from recommender.core.linear import Ease, SlimLocal
from recommender.core.popular import MostPopular, Trending
from recommender.core.ranker import TwoStage
from recommender.core.regression import RatingRegression
from recommender.core.repeat import BoughtAgain
from recommender.core.sequence import SequenceModel
from recommender.core.user_based import PearsonUserBased, UserBased

# In the order of training: the baseline first, then from cheap to dear.
CLASSES: tuple[type[Recommender], ...] = (
    MostPopular,
    Trending,
    BoughtAgain,
    NextBasket,
    UserBased,
    PearsonUserBased,
    Svd,
    Als,
    Bpr,
    RatingRegression,
    ItemCosine,
    ItemTfidf,
    ItemBm25,
    Rp3Beta,
    SequenceModel,
    Content,
    Ease,
    SlimLocal,
)
ALGORITHMS: dict[str, type[Recommender]] = {cls.name: cls for cls in CLASSES}
# Models made of other models: they have members and weights instead of settings to tune.
COMPOSITES: dict[str, type[Composite]] = {cls.name: cls for cls in (Blend, TwoStage)}
BASELINE = MostPopular.name
# What is trained by itself, every night and after uploads: sensible in any shop, and cheap at any size. All others are
# trained when somebody asks for them.
AUTOMATIC: tuple[str, ...] = (
    BASELINE,
    Trending.name,
    BoughtAgain.name,
    NextBasket.name,
    UserBased.name,
    ItemBm25.name,
    Rp3Beta.name,
    SequenceModel.name,
    Content.name,
    Ease.name,
)
# Who votes in a model of models until tuning has chosen.
MEMBERS = (ItemBm25.name, UserBased.name, BASELINE)


def create(name: str, params: dict[str, Any] | None = None) -> Recommender:
    """Return a new, unfitted model; a setting that this version does not know any more is left out.

    Raises
    ------
    KeyError : there is no algorithm of this name.
    """
    given = dict(params or {})
    if name in COMPOSITES:
        members = [create(*member) for member in given.pop("members", [[member] for member in MEMBERS])]
        return COMPOSITES[name](members, **given)
    return made(ALGORITHMS[name], given)
