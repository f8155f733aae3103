"""All reads of the recommender that span rows."""

import random
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from django.core.cache import cache
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    IntegerField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.utils import timezone

from behaviour.catalogue import sellable
from behaviour.models import Consent, ConsentState, Event, Product, Shopper, StockChange
from behaviour.moments import Epoch
from mailai.chunks import chunks
from recommender.core.interactions import KINDS, LIKED_STARS
from recommender.models import Champion, TrainingBlock, TrainingRun, Tuning

READ_CHUNK = 50_000
# Shoppers of one "id in (…)" list.
ID_CHUNK = 2_000
POPULAR_DAYS = 30
BACK_DAYS = 14
# So many models that served are tried when the files of the newer ones are damaged.
N_CHAMPIONS = 5
# Trainings that a chart shows: a quarter of a year of nights.
N_CHARTED = 200
SECONDS_A_DAY = 86_400.0
Beat = Callable[[], None]
FRESH = timedelta(minutes=10)
BEST_SELLERS, N_KEPT, KEPT_SECONDS, SLOW_SECONDS = "best-sellers", 1000, 600, 0.1


class BestSeller(NamedTuple):
    """A product, how many shoppers ordered it, and how many of them in the last 30 days."""

    product: int
    n_buyers: int
    n_recent: int


def telling_events() -> "QuerySet[Event]":
    """Return the events that say something about liking a product."""
    liked = ~Q(kind="rating") | Q(amount__gte=LIKED_STARS)
    return Event.objects.filter(liked, kind__in=KINDS, product__isnull=False)


def event_columns(events: "QuerySet[Event]", beat: Beat = lambda: None) -> np.ndarray:
    """Return int64 of shape (n_events, 4): shopper id, product id, index into KINDS, seconds since 1970.

    Read in chunks of 50,000 rows into arrays, so that only numbers stay: 32 bytes an event.
    """
    code = Case(*[When(kind=kind, then=Value(i)) for i, kind in enumerate(KINDS)], output_field=IntegerField())
    rows = events.order_by().values_list("shopper_id", "product_id", code, Epoch(F("at")))
    parts = []
    for chunk in chunks(rows.iterator(chunk_size=READ_CHUNK), READ_CHUNK):
        parts.append(np.array(chunk, np.int64))
        beat()
    return np.concatenate(parts) if parts else np.empty((0, 4), np.int64)


def shopper_events(shopper_ids: Collection[int], at: datetime) -> np.ndarray:
    """Return the columns of ``event_columns`` for some shoppers, up to a moment: a decision sees nothing newer."""
    events = telling_events().filter(at__lte=at)
    parts = [event_columns(events.filter(shopper__in=ids)) for ids in chunks(shopper_ids, ID_CHUNK)]
    return np.concatenate(parts) if parts else np.empty((0, 4), np.int64)


def shopper_ratings(shopper_ids: Collection[int], at: datetime) -> np.ndarray:
    """Return float64 of shape (n_ratings, 4): shopper id, product id, seconds since 1970, stars; up to a moment."""
    rated = Event.objects.filter(kind="rating", product__isnull=False, amount__gte=0, at__lte=at).order_by()
    parts = [
        np.array(rated.filter(shopper__in=ids).values_list("shopper_id", "product_id", Epoch(F("at")), "amount"), float)
        for ids in chunks(shopper_ids, ID_CHUNK)
    ]
    return np.concatenate([part.reshape(-1, 4) for part in parts]) if parts else np.empty((0, 4))


def stock_rows(prices: Q, product_ids: Collection[int] | None = None) -> list[tuple[int, str]]:
    """Return (id, category) of what a mail may show at these prices, by id; of some products or of all."""
    found = sellable().filter(prices).order_by("id").values_list("id", "category")
    if product_ids is None:
        return list(found)
    parts = [list(found.filter(pk__in=ids)) for ids in chunks(product_ids, ID_CHUNK)]
    return sorted(row for part in parts for row in part)


def categories_of(product_ids: Collection[int]) -> list[tuple[int, str]]:
    """Return (id, category) of products, sellable or not; of very many, all are read at once."""
    rows = Product.objects.order_by().exclude(category="").values_list("id", "category")
    if len(product_ids) > 2 * ID_CHUNK:
        return list(rows)
    return [row for ids in chunks(product_ids, ID_CHUNK) for row in rows.filter(pk__in=ids)]


def products_in(categories: Collection[str]) -> list[tuple[int, str]]:
    """Return (id, category) of the products of some categories."""
    return list(Product.objects.order_by().filter(category__in=categories).values_list("id", "category"))


def back_in_stock(product_ids: Collection[int], at: datetime) -> dict[int, datetime]:
    """Return when each of these products came back, if it did in the 14 days before a moment.

    Back is a change to a stock above zero that follows one to zero or below.
    """
    before = StockChange.objects.filter(product=OuterRef("product"), at__lt=OuterRef("at")).order_by("-at", "-pk")
    back = (
        StockChange.objects.filter(at__gt=at - timedelta(days=BACK_DAYS), at__lte=at, stock__gt=0)
        .annotate(was=Subquery(before.values("stock")[:1]))
        .filter(was__lte=0)
        .order_by("at")
    )
    found: dict[int, datetime] = {}
    for ids in chunks(product_ids, ID_CHUNK):
        found |= dict(back.filter(product__in=ids).values_list("product_id", "at"))
    return found


def recent_buyers(product_ids: Collection[int], at: datetime) -> dict[int, int]:
    """Count the distinct shoppers who ordered each product in the 30 days before a moment.

    Of now, the best-sellers are counted as pages have them: what many bought is mostly among them.
    """
    kept = best_sellers_for_a_page() if timezone.now() - at < FRESH else []
    known = {one.product: one.n_recent for one in kept if one.product in product_ids}
    product_ids = set(product_ids) - set(known)
    if not product_ids:
        return known
    since = at - timedelta(days=POPULAR_DAYS)
    orders = Event.objects.filter(kind="purchase", at__gt=since, at__lte=at, product__in=product_ids)
    return known | dict(orders.order_by().values_list("product_id").annotate(n=Count("shopper", distinct=True)))


def taken_out_of_carts(
    shopper_ids: Collection[int], product_ids: Collection[int], at: datetime
) -> dict[tuple[int, int], datetime]:
    """Return when each of these shoppers last took each of these products out of her cart, up to a moment."""
    found: dict[tuple[int, int], datetime] = {}
    out = Event.objects.filter(kind=Event.Kind.UNCART, at__lte=at).order_by("at")
    for ids in chunks(shopper_ids, ID_CHUNK):
        rows = out.filter(shopper__in=ids, product__in=product_ids)
        found |= {
            (shopper, product): moment for shopper, product, moment in rows.values_list("shopper", "product", "at")
        }
    return found


def best_sellers(at: datetime, n: int) -> list[BestSeller]:
    """Return the n most ordered products that can be sold, for when no model can serve.

    The last 30 days; a shop that sold nothing in them is asked for all its orders. A second at a million shoppers.
    """
    can_be_sold = set(sellable().values_list("pk", flat=True))
    orders = Event.objects.filter(kind="purchase", at__lte=at, product__isnull=False)
    for window, recent in ((orders.filter(at__gt=at - timedelta(days=POPULAR_DAYS)), True), (orders, False)):
        rows = window.order_by().values_list("product_id").annotate(n=Count("shopper", distinct=True))
        found = [
            BestSeller(product, n_buyers, n_buyers if recent else 0)
            for product, n_buyers in rows.order_by("-n", "product_id")
            if product in can_be_sold
        ]
        if found:
            return found[:n]
    return []


def best_sellers_for_a_page() -> list[BestSeller]:
    """Return the thousand best-sellers of now; where asking takes long, in a large shop, those of the last ten minutes.

    What can't be sold any more is left out at once.
    """
    kept = cache.get(BEST_SELLERS)
    if kept is None:
        started = time.perf_counter()
        kept = best_sellers(timezone.now(), N_KEPT)
        if time.perf_counter() - started > SLOW_SECONDS:
            cache.set(BEST_SELLERS, kept, KEPT_SECONDS)
        return kept
    there = set(sellable().filter(pk__in=[one.product for one in kept]).values_list("pk", flat=True))
    return [one for one in kept if one.product in there]


def best_sellers_up_to(at: datetime) -> list[BestSeller]:
    """Return the best-sellers of a moment: of the last minutes as a page has them, of an earlier one as they were."""
    if timezone.now() - at < FRESH:
        return best_sellers_for_a_page()
    return best_sellers(at, N_KEPT)


def newest_products(n: int, prices: Q) -> list[int]:
    """Return what can be sold at these prices, the last that came in first: the last rung of the ladder."""
    return list(sellable().filter(prices).order_by("-id").values_list("id", flat=True)[:n])


def profiling_refused(shopper_ids: Collection[int]) -> set[int]:
    """Return who said no to personal picks; the newest statement counts."""
    refused: set[int] = set()
    for ids in chunks(shopper_ids, ID_CHUNK):
        rows = Consent.objects.filter(purpose=Consent.Purpose.PROFILING, shopper__in=ids).order_by("at", "id")
        newest = dict(rows.values_list("shopper_id", "state"))
        refused |= {shopper for shopper, state in newest.items() if state == ConsentState.WITHDRAWN}
    return refused


def product_names(product_ids: Collection[int]) -> dict[int, str]:
    """Return what each product is called."""
    rows = Product.objects.order_by().values_list("pk", "name", "sku")
    return {pk: name or sku for ids in chunks(product_ids, ID_CHUNK) for pk, name, sku in rows.filter(pk__in=ids)}


def behaviour_is_demo() -> bool:
    """Say whether demo shoppers are in the data."""
    return Shopper.objects.filter(demo=True).exists()


def serving_run() -> TrainingRun | None:
    """Return the run that picks the products, None before the first training."""
    newest = Champion.objects.select_related("run").first()
    return newest.run if newest else None


def earlier_champions() -> list[TrainingRun]:
    """Return the runs that served, newest first, each once."""
    return [turn.run for turn in turns()]


def newest_of(algorithm: str) -> TrainingRun | None:
    """Return the newest run of an algorithm that was trained to the end and whose file was not cleared away."""
    done = TrainingRun.objects.filter(algorithm=algorithm, state=TrainingRun.State.DONE).exclude(artefact="")
    return done.order_by("-id").first()


def leaderboard() -> list[TrainingRun]:
    """Return the newest finished run of each algorithm, and the live one, best first."""
    done = TrainingRun.objects.filter(state=TrainingRun.State.DONE)
    newest = done.order_by().values("algorithm").annotate(newest=Max("pk")).values("newest")
    live = serving_run()
    runs = {run.pk: run for run in [*done.filter(pk__in=newest), *([live] if live else [])]}
    return sorted(runs.values(), key=lambda run: (-run.metrics.get("ndcg", {}).get("value", 0.0), run.pk))


def unfinished_runs() -> "QuerySet[TrainingRun]":
    """Return what waits or trains."""
    return TrainingRun.objects.filter(state__in=(TrainingRun.State.QUEUED, TrainingRun.State.RUNNING)).order_by("id")


def waiting_with(run: TrainingRun) -> "QuerySet[TrainingRun]":
    """Return what waits of the request that a run belongs to."""
    return unfinished_runs().filter(state=TrainingRun.State.QUEUED, created_at=run.created_at)


def unfinished_with(run: TrainingRun) -> "QuerySet[TrainingRun]":
    """Return what waits or trains of the request that a run belongs to."""
    return unfinished_runs().filter(created_at=run.created_at)


def readings_with(run: TrainingRun) -> list[str]:
    """Return the files with what was read for the request that a run belongs to."""
    read = TrainingRun.objects.filter(created_at=run.created_at, seed=run.seed).exclude(reading="")
    return list(read.order_by("-id").values_list("reading", flat=True).distinct())


def untidy_runs() -> "QuerySet[TrainingRun]":
    """Return the runs that were given up after their worker was gone, and left blocks or a reading behind."""
    ended = TrainingRun.objects.filter(state__in=(TrainingRun.State.DONE, TrainingRun.State.FAILED))
    together = unfinished_runs().filter(created_at=OuterRef("created_at"))
    blocks = TrainingBlock.objects.filter(run=OuterRef("pk"))
    return ended.filter(Exists(blocks) | (~Q(reading="") & ~Exists(together)))


def waiting_blocks() -> "QuerySet[TrainingBlock]":
    """Return the blocks of trainings that no worker has taken."""
    return TrainingBlock.objects.filter(state=TrainingRun.State.QUEUED).order_by("id")


def blocks_of(run: TrainingRun) -> tuple[int, int]:
    """Return (blocks done, blocks) of the newest divided work of a run; (0, 0) = nothing is divided."""
    newest = TrainingBlock.objects.filter(run=run).order_by("-id").values("materials")[:1]
    blocks = TrainingBlock.objects.filter(run=run, materials=Subquery(newest))
    found = blocks.aggregate(done=Count("pk", filter=Q(state=TrainingRun.State.DONE)), of=Count("pk"))
    return found["done"], found["of"]


def unfinished_tunings() -> "QuerySet[Tuning]":
    """Return the searches for settings that wait or run, the oldest first."""
    return Tuning.objects.filter(state__in=(Tuning.State.QUEUED, Tuning.State.RUNNING)).order_by("pk")


def tuned(algorithm: str) -> Tuning | None:
    """Return the search whose settings the next training of an algorithm uses, None = the defaults.

    The newest one that came to its end decides: what was good once may not be now.
    """
    newest = Tuning.objects.filter(algorithm=algorithm, state=Tuning.State.DONE).first()
    return newest if newest and newest.adopted else None


def events_of_last_tuning(algorithm: str) -> int:
    """Return how many events the newest search of an algorithm read, 0 where there was none."""
    newest = Tuning.objects.filter(algorithm=algorithm, n_events__gt=0).first()
    return newest.n_events if newest else 0


def history() -> "QuerySet[TrainingRun]":
    """Return all trainings, newest first."""
    return TrainingRun.objects.select_related("requested_by")


def trained_lately(algorithms: Collection[str]) -> list[Any]:
    """Return the last trainings of some algorithms, and of what went live, the oldest first, each with its ``ndcg``.

    Of the metrics only that figure is read: {"value", "low", "high"}.
    """
    done = TrainingRun.objects.filter(state=TrainingRun.State.DONE, metrics__has_key="ndcg")
    told = done.filter(Q(algorithm__in=algorithms) | Exists(Champion.objects.filter(run=OuterRef("pk"))))
    narrow = told.annotate(ndcg=F("metrics__ndcg")).only("algorithm", "created_at").order_by("-pk")
    return list(narrow[:N_CHARTED])[::-1]


def promotions(runs: Collection[int]) -> dict[int, datetime]:
    """Return when each of these runs first went live, if it did."""
    first = Champion.objects.filter(run__in=runs).order_by().values_list("run").annotate(first=Min("at"))
    return dict(first)


def newest_endings() -> list[TrainingRun]:
    """Return the newest training of each algorithm that came to an end, well or not."""
    ended = TrainingRun.objects.filter(state__in=(TrainingRun.State.DONE, TrainingRun.State.FAILED))
    newest = ended.order_by().values("algorithm").annotate(newest=Max("pk")).values("newest")
    return list(ended.filter(pk__in=newest).order_by("pk"))


def turns() -> list[Champion]:
    """Return since when which models picked the products, newest first: each run once, by its newest turn."""
    found: dict[int, Champion] = {}
    for turn in Champion.objects.select_related("run", "by")[: N_CHAMPIONS * 4]:
        found.setdefault(turn.run_id, turn)
    return list(found.values())[:N_CHAMPIONS]


def unshowable_products() -> dict[str, int]:
    """Count the active products that no mail can show, by reason."""
    active = Product.objects.filter(active=True)
    return {
        "no_picture": active.filter(image="").count(),
        "sold_out": active.filter(stock__lte=0).count(),
        "newer": active.filter(~Exists(Event.objects.filter(product=OuterRef("pk")))).count(),
    }


def products_by_id(product_ids: Collection[int]) -> dict[int, Product]:
    """Return products to show."""
    return Product.objects.in_bulk(list(product_ids))


def shopper_to_try(words: str) -> Shopper | None:
    """Return the shopper whose pseudonym begins with the words; without words any buyer, another one each time."""
    if words.strip():
        return Shopper.objects.filter(pseudonym__istartswith=words.strip()).order_by("pseudonym").first()
    orders = Event.objects.filter(shopper=OuterRef("pk"), kind="purchase")
    buyers = Shopper.objects.filter(Exists(orders)).order_by("id")
    ends = Shopper.objects.aggregate(low=Min("id"), high=Max("id"))
    if ends["low"] is None:
        return None
    return buyers.filter(pk__gte=random.randint(ends["low"], ends["high"])).first() or buyers.first()
