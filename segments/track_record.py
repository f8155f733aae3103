"""What earlier runs said of windows that have passed, beside what happened."""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np

from segments import order_reads
from segments.core.order_book import OrderBook, happened
from segments.models import PredictionRun, PredictionTrack

# A shop that predicts every night need not keep every night's word.
APART = timedelta(days=7)


def note(run: PredictionRun, totals: dict[str, tuple[float, float, float, float]]) -> None:
    """Keep what the run says of all shoppers together, once a week."""
    if PredictionTrack.objects.filter(run__as_of__gt=run.as_of - APART).exists():
        return
    PredictionTrack.objects.bulk_create(
        PredictionTrack(
            run=run, target=target, predicted=total, predicted_low=low, predicted_high=high,
            due_at=run.as_of + timedelta(days=days),
        )
        for target, (total, low, high, days) in totals.items()
    )  # fmt: skip


def outcomes(book: OrderBook, at: float) -> dict[int, float]:
    """Return what happened in every window that is over by now: id of the track row -> figure."""
    over = PredictionTrack.objects.filter(happened=None, due_at__lte=order_reads.moment_of(at)).select_related("run")
    return {row.pk: _figure(book, row.target, row.run.as_of, row.due_at) for row in over}


def fill(found: dict[int, float]) -> None:
    """Write down what happened."""
    for pk, figure in found.items():
        PredictionTrack.objects.filter(pk=pk).update(happened=figure)


def _figure(book: OrderBook, target: str, as_of: datetime, until: datetime) -> float:
    """Return the figure of those who had ordered before the run; others were not predicted."""
    start = order_reads.day_number(as_of)
    buyer = np.unique(book.shopper[book.day < start])
    orders, money = happened(book, buyer, start, order_reads.day_number(until) - start)
    figures: dict[str, Callable[[], np.ndarray]] = {
        "orders": lambda: orders,
        "spend": lambda: money,
        "order": lambda: orders > 0,
        "churn": lambda: orders == 0,
        "gone": lambda: orders == 0,
    }
    return float(figures[target.split("_", maxsplit=1)[0]]().sum())
