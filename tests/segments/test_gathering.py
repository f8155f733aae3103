"""Rows find their part, whoever they are of."""

from pathlib import Path

import numpy as np

from segments import gathering, reading
from segments.core import deeds


def rows_of(*shoppers: int) -> np.ndarray:
    rows = np.zeros(len(shoppers), dtype=reading.ROW)
    rows["shopper"] = shoppers
    rows["product"] = np.arange(len(shoppers))
    return rows


def test_near_and_far_ids_have_their_places() -> None:
    for ids in ([3, 5, 9], [3, 10**12, 10**12 + 7]):
        places = gathering.Places(np.array(ids))
        assert places.of(np.array([*ids, 4, 10**13])).tolist() == [0, 1, 2, -1, -1]
    assert gathering.Places(np.array([], dtype=np.int64)).of(np.array([1, 2])).tolist() == [-1, -1]


def test_rows_come_back_by_part_and_only_once(tmp_path: Path) -> None:
    spill = gathering.Spill(tmp_path, "events", kind=deeds.PACKED, size=2)
    for start in (0, 100):
        spill.add(np.array([3, 0, -1, 2, 1], dtype=np.int32), rows_of(start, start, start, start, start))
    assert spill.take(0)["shopper"].to_list() == [0, 1, 0, 1]
    assert spill.take(1)["product"].to_list() == [0, 3, 0, 3]
    assert spill.take(0).is_empty()
    assert not list(tmp_path.iterdir())


def test_rows_of_nobody_are_left_out(tmp_path: Path) -> None:
    spill = gathering.Spill(tmp_path, "events", kind=deeds.PACKED, size=2)
    spill.add(np.array([-1], dtype=np.int32), rows_of(7))
    assert spill.take(0).is_empty()
