"""What shoppers looked at and opened before the moments that predictions learn from, read in one pass over events."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np

from behaviour.ahead import worked
from segments import reading
from segments.core import deeds, features
from segments.gathering import Places
from segments.order_reads import moment_of

DAYS, RECENT_DAYS = 90, 30
# The column of features.ACTIVITY in which a deed is counted.
COUNTED = {"view": "views_90", "cart": "carts_90", "email_open": "opens_90", "email_click": "clicks_90"}
RECENT, LAST_SEEN = (features.ACTIVITY.index(name) for name in ("views_30", "last_seen"))
# Kind, as deeds are packed -> column.
COLUMN_OF = np.array([0, *(features.ACTIVITY.index(COUNTED.get(kind, "views_90")) for kind in deeds.CODES)])


class Activity:
    """What shoppers did in the 90 days before each of some moments, as `features.ACTIVITY`.

    Parameters
    ----------
    moments : days since 1970
    shoppers : int64 array of shape (n,), ids, ascending; 24 bytes each are held for each moment
    """

    def __init__(self, moments: Sequence[float], shoppers: np.ndarray) -> None:
        self.shoppers, self.places = shoppers, Places(shoppers)
        self.found = {moment: features.no_activity(len(shoppers)) for moment in moments}
        for _done in worked(_watched(moments), self._count):
            pass

    def of(self, at: float, shoppers: np.ndarray) -> np.ndarray:
        """Return the activity of some of the shoppers before one of the moments, float32 array of shape (n, 6)."""
        moment = min(self.found, key=lambda one: abs(one - at))
        return self.found[moment][np.searchsorted(self.shoppers, shoppers)]

    def _count(self, block: reading.Fetched) -> None:
        rows = block()
        places = self.places.of(rows["shopper"])
        rows, places = rows[places >= 0], places[places >= 0].astype(np.int64) * len(features.ACTIVITY)
        column = COLUMN_OF[rows["kind"]]
        viewed = rows["kind"] == deeds.CODES["view"]
        seen = viewed | (rows["kind"] == deeds.CODES["cart"])
        for moment, found in self.found.items():
            flat, ago = found.reshape(-1), round(moment * deeds.DAY) - rows["at"]
            inside = (ago > 0) & (ago <= DAYS * deeds.DAY)
            np.add.at(flat, (places + column)[inside], np.float32(1))
            np.add.at(flat, places[inside & viewed & (ago <= RECENT_DAYS * deeds.DAY)] + RECENT, np.float32(1))
            last = inside & seen
            np.minimum.at(flat, places[last] + LAST_SEEN, (ago[last] / deeds.DAY).astype(np.float32))


def _watched(moments: Sequence[float]) -> Iterator[reading.Fetched]:
    """Yield the deeds that are counted before any of the moments."""
    # A second more at both ends: SQLite compares moments as text.
    first = moment_of(min(moments)) - timedelta(days=DAYS, seconds=1)
    last = moment_of(max(moments)) + timedelta(seconds=1)
    kinds = ", ".join(f"'{kind}'" for kind in COUNTED)
    since, until = (f"'{moment:%Y-%m-%d %H:%M:%S}+00'" for moment in (first, last))
    return reading.events(only=f"e.kind IN ({kinds}) AND e.at >= {since} AND e.at < {until}")
