"""The steps of the scale benchmark of the recommender, each in a process of its own: WAY OPTIONS, as JSON."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import numpy as np
from django.utils import timezone
from sparse_dot_topn import sp_matmul_topn

from recommender import artefacts, queries, readings, services, teamwork
from recommender.artefacts import Artefact
from recommender.core.algorithms import create
from recommender.core.dividing import cut
from recommender.core.exam_lists import USERS_OF_A_BLOCK, Lists
from recommender.core.interactions import Interactions, bought_items
from recommender.core.popular import MostPopular, Trending
from recommender.core.splitting import whole
from recommender.core.user_based import UserBased
from recommender.filters import Filters
from recommender.measuring import forget_peak, peak_mb
from recommender.models import Champion, TrainingBlock, TrainingRun
from recommender.reading import Shop, read_shop
from recommender.reasons import reasons_for

K, SLOTS, PREVIEWS = 10, 6, 30
WISHES = Filters(lowest_price=Decimal(2), not_categories=("Kitchen > Range 1",), per_category=2, rest_mails=3)
Options = dict[str, Any]


def read(_options: Options) -> Options:
    """Read the shop from the database, and keep it for the other ways, as a training of a large shop does."""
    now, started = timezone.now(), time.perf_counter()
    shop = read_shop(now, lambda: None)
    seconds, peak = time.perf_counter() - started, peak_mb()
    name = readings.write(shop, now)
    TrainingRun.objects.create(algorithm="read", state=TrainingRun.State.FAILED, reading=name)
    return {"seconds": seconds, "events": len(shop.log.users), "peak_mb": peak}


def models(_options: Options) -> Options:
    """Fit what the night fits and list the ten best for everybody; leave the item model to serve."""
    shop = _shop_read()
    steps: dict[str, dict[str, float]] = {}
    forget_peak()
    before = peak_mb()

    @contextmanager
    def step(name: str) -> Iterator[None]:
        forget_peak()
        started = time.process_time()
        yield
        steps[name] = {"cpu": time.process_time() - started, "mb": peak_mb() - before}

    with step("events by shopper"):
        everything = whole(shop.log)
    near, sequence = create("item_bm25"), create("sequence")
    with step("matrix"):
        near.half_life_days = near.weighting.days(everything.span)
        near.weighted(everything)
    with step("item similarities, matrix again"):
        near.fit(everything)
    with step("sequence model"):
        sequence.fit(everything)
    with step("top 10 for everybody"):
        near.recommend(everything, K, exclude=bought_items(everything))
    popular = MostPopular().fit(everything)
    n_orders = np.bincount(everything.items[everything.purchases], minlength=everything.n_items)
    artefact = Artefact(near, popular, Trending().fit(everything), n_orders, shop.shoppers, shop.products)
    run = TrainingRun.objects.create(algorithm="item_bm25", state=TrainingRun.State.DONE, params={"model": near.params})
    run.artefact, run.artefact_sha256 = artefacts.save(run, artefact)
    run.save()
    Champion.objects.create(run=run)
    return {"steps": steps}


def neighbours(options: Options) -> Options:
    """Find neighbours block by block, each block beside the bare product of the same block."""
    _shop, interactions = _learnt()
    model = _user_based(interactions)
    some = _some(interactions, options["neighbours"])
    rows = model.scaled(model.weighted(some))
    seconds = {"ours": 0.0, "bare": 0.0}

    def bare(block: slice) -> None:
        sp_matmul_topn(rows[block], model.columns, top_n=model.k + 1, sort=True, n_threads=1)

    def ours(block: slice) -> None:
        model.neighbours(rows[block], some.known[block])

    for number, block in enumerate(cut(some.n_users, USERS_OF_A_BLOCK)):
        # Whoever comes second finds the caches warm: by turns.
        for way in (bare, ours) if number % 2 else (ours, bare):
            started = time.process_time()
            way(block)
            seconds[way.__name__] += time.process_time() - started
    return {"n": some.n_users, **seconds}


def offer(options: Options) -> Options:
    """Write down the lists of some shoppers as blocks of a run, for helpers to do."""
    _shop, interactions = _learnt()
    model, some = _user_based(interactions), _some(interactions, options["neighbours"])
    run = TrainingRun.objects.create(algorithm="user_based", state=TrainingRun.State.RUNNING)
    blocks = cut(some.n_users, USERS_OF_A_BLOCK)
    teamwork.Team(run).offer(Lists, Lists.materials(model, some, K, None), blocks)
    return {"run": run.pk, "blocks": len(blocks)}


def help_(options: Options) -> Options:
    """Help until no block waits, as a worker does."""
    started = time.time()
    while queries.waiting_blocks().filter(run=options["run"]).exists():
        services.help_with(options["run"])
    return {"from": started, "to": time.time(), "peak_mb": peak_mb()}


def done(options: Options) -> Options:
    """Count the blocks that are done at the first try."""
    blocks = TrainingBlock.objects.filter(run=options["run"], state=TrainingRun.State.DONE, tries=1)
    return {"done": blocks.count()}


def picks(options: Options) -> Options:
    """Pick with reasons for a batch, as a campaign does, and for one shopper after the other, as a preview does."""
    shoppers = _shop_read().shoppers.ids
    rng = np.random.default_rng(1)
    batch = rng.choice(shoppers, min(options["batch"], len(shoppers)), replace=False).tolist()
    # The first one loads the model, as the first of a worker does.
    services.top_products(batch[:1], SLOTS, filters=WISHES)
    seconds = []
    for _turn in ("from the disk", "from the database's memory"):
        started = time.perf_counter()
        reasons_for(services.top_products(batch, SLOTS, filters=WISHES))
        seconds.append(time.perf_counter() - started)
    previews = []
    for shopper in rng.choice(shoppers, PREVIEWS, replace=False).tolist():
        started = time.perf_counter()
        reasons_for(services.top_products([shopper], SLOTS, filters=WISHES))
        previews.append((time.perf_counter() - started) * 1000)
    return {
        "batch": len(batch), "first_seconds": seconds[0], "seconds": seconds[1], "previews": PREVIEWS,
        "slowest_ms": max(previews), "median_ms": float(np.median(previews)),
    }  # fmt: skip


def _shop_read() -> Shop:
    name = TrainingRun.objects.exclude(reading="").values_list("reading", flat=True)[0]
    return readings.read(name)[0]


def _learnt() -> tuple[Shop, Interactions]:
    shop = _shop_read()
    return shop, whole(shop.log)


def _user_based(interactions: Interactions) -> UserBased:
    model = create("user_based").fit(interactions)
    assert isinstance(model, UserBased)
    return model


def _some(interactions: Interactions, n: int) -> Interactions:
    rng = np.random.default_rng(0)
    return interactions.of(np.sort(rng.choice(interactions.n_users, min(n, interactions.n_users), replace=False)))


WAYS: dict[str, Callable[[Options], Options]] = {
    "read": read, "models": models, "neighbours": neighbours, "offer": offer, "help": help_, "done": done,
    "picks": picks,
}  # fmt: skip


def main() -> None:
    """Go one way and print what came out as the last line."""
    way, options = sys.argv[1:]
    print(json.dumps(WAYS[way](json.loads(options))), flush=True)


if __name__ == "__main__":
    main()
