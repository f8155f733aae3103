"""Returns against their orders: in one file, over its blocks, over several files; killed, repeated and undone."""

from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from behaviour import importing, netting, tables
from behaviour.core import refunds
from behaviour.models import Event, Upload
from behaviour.removal import undo_upload

pytestmark = pytest.mark.django_db
HEADER = "user_id,item_id,event,timestamp,order_id,quantity,price\n"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of four rows, steps of two returns."""
    monkeypatch.setattr(tables, "SIZE", 4)
    monkeypatch.setattr(tables, "MOST", 5)
    monkeypatch.setattr(netting, "STEP", 2)


def line(event: str, n: int, hour: int = 0, *, user: str = "1", item: str = "A", order: str = "O1", price: str = "5"):
    return f"{user},{item},{event},2026-11-0{1 + hour // 24} {hour % 24:02}:00:00,{order},{n},{price}\n"


VIEWS = "".join(line("view", 1, hour, order="") for hour in range(10, 20))


def loaded(folder: Path, rows: str, name: str = "file.csv") -> Upload:
    path = folder / name
    path.write_text(HEADER + rows, encoding="utf-8")
    call_command("upload", str(path), yes=True, verbosity=0)
    upload = Upload.objects.latest("pk")
    assert upload.loaded + upload.duplicates + upload.rejected == upload.rows_read
    return upload


def returned(**which: Any) -> list[tuple[int, Decimal | None]]:
    rows = Event.objects.filter(kind="refund", **which).order_by("at", "pk")
    return list(rows.values_list("quantity", "amount"))


def about_returns(upload: Upload) -> dict[str, int]:
    return {code: n for code, n in upload.findings.items() if code.startswith("refund")}


def test_a_return_finds_its_order_in_another_block(tmp_path: Path) -> None:
    upload = loaded(tmp_path, line("purchase", 2) + VIEWS + line("refund", 3, 30))
    assert returned() == [(2, Decimal(10))]
    assert about_returns(upload) == {"refund_with_order": 1, "refund_netted": 1}


def test_a_return_finds_its_order_below_itself_and_all_lines_of_it_count(tmp_path: Path) -> None:
    rows = line("refund", 4, 30) + line("purchase", 2) + VIEWS + line("purchase", 1, price="7", hour=1)
    loaded(tmp_path, rows)
    assert returned() == [(3, Decimal(17))]


def test_a_return_finds_its_order_in_an_earlier_file_whose_returns_come_first(tmp_path: Path) -> None:
    loaded(tmp_path, line("purchase", 3) + line("refund", 2, 40))
    upload = loaded(tmp_path, line("refund", 2, 20) + line("refund", 1, 21, order="O9"), "later.csv")
    assert returned() == [(1, Decimal(5)), (1, Decimal(5)), (2, Decimal(10))], "what is published does not change"
    assert about_returns(upload) == {"refund_with_order": 1, "refund_netted": 1, "refund_without_order": 1}


def test_the_same_file_again_loads_nothing_and_changes_nothing(tmp_path: Path) -> None:
    rows = line("purchase", 2) + VIEWS + line("refund", 3, 30) + line("refund", 1, 31)
    loaded(tmp_path, rows)
    before = list(Event.objects.order_by("pk").values())
    again = loaded(tmp_path, rows)
    assert (again.loaded, again.rejected) == (0, 0)
    assert list(Event.objects.order_by("pk").values()) == before
    assert returned() == [(2, Decimal(10)), (0, Decimal(0))]


def test_other_shoppers_orders_and_products_are_other_things(tmp_path: Path) -> None:
    loaded(
        tmp_path,
        line("purchase", 1) + line("refund", 2, 20, user="2") + line("refund", 2, 21, item="B")
        + line("refund", 2, 22, order="O2") + line("refund", 2, 23, order=""),
    )  # fmt: skip
    assert [n for n, _amount in returned()] == [2, 2, 2, 2]


def test_what_a_line_cost_is_capped_only_where_it_is_known(tmp_path: Path) -> None:
    rows = line("purchase", 1, price="") + line("refund", 2, 20) + line("purchase", 2, item="B")
    loaded(tmp_path, rows + line("refund", 2, 21, item="B", price="9") + line("refund", 1, 22, item="B", price=""))
    assert returned() == [(1, Decimal(10)), (2, Decimal(10)), (0, None)]


def test_the_rule_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = importing.import_upload

    def switched(pk: int) -> Upload:
        Upload.objects.filter(pk=pk).update(cleaning={"rules": {"refund_netted": False}})
        return queue(pk)

    monkeypatch.setattr("behaviour.management.commands.upload.import_upload", switched)
    upload = loaded(tmp_path, line("purchase", 1) + VIEWS + line("refund", 3, 30))
    assert returned() == [(3, Decimal(15))]
    assert about_returns(upload) == {"refund_with_order": 1}


def test_an_undo_gives_back_what_was_cut_on_account_of_its_rows(tmp_path: Path) -> None:
    order = loaded(tmp_path, line("purchase", 2), "order.csv")
    wrong = loaded(tmp_path, line("refund", 2, 20), "wrong.csv")
    loaded(tmp_path, line("refund", 3, 30), "right.csv")
    assert returned() == [(2, Decimal(10)), (0, Decimal(0))]
    undo_upload(wrong)
    assert returned() == [(2, Decimal(10))]
    undo_upload(order)
    assert returned() == [(3, Decimal(15))], "nothing is known of its order any more"
    assert not Event.everything.exclude(quantity_said=None).exists()


def test_a_return_that_came_before_its_order_waits_for_it(tmp_path: Path) -> None:
    loaded(tmp_path, line("refund", 5, 30) + line("refund", 9, 31, order="O9"), "returns.csv")
    assert returned() == [(5, Decimal(25)), (9, Decimal(45))]
    upload = loaded(tmp_path, line("purchase", 3) + VIEWS + line("refund", 2, 20), "orders.csv")
    assert returned(order_ref="O1") == [(0, Decimal(0)), (3, Decimal(15))], "what came first takes its share first"
    assert returned(order_ref="O9") == [(9, Decimal(45))]
    more = loaded(tmp_path, line("purchase", 1, 2), "more.csv")
    assert returned(order_ref="O1") == [(0, Decimal(0)), (4, Decimal(20))], "there is more that can come back"
    undo_upload(more)
    undo_upload(upload)
    assert returned() == [(5, Decimal(25)), (9, Decimal(45))]
    assert not Event.everything.exclude(quantity_said=None).exists()


def test_a_return_of_a_file_whose_rule_was_off_waits_for_nothing(tmp_path: Path) -> None:
    first = loaded(tmp_path, line("refund", 5, 30), "returns.csv")
    first.cleaning |= {"rules": {"refund_netted": False}}
    first.save(update_fields=["cleaning"])
    loaded(tmp_path, line("purchase", 3), "orders.csv")
    assert returned() == [(5, Decimal(25))]


def test_a_return_waits_for_orders_that_are_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(tmp_path, line("refund", 5, 30), "returns.csv")
    with monkeypatch.context() as broken:
        broken.setattr(importing, "_complete", _full)
        with pytest.raises(SystemExit):
            loaded(tmp_path, line("purchase", 3), "orders.csv")
    undo_upload(Upload.objects.latest("pk"))
    assert returned() == [(5, Decimal(25))]
    loaded(tmp_path, line("purchase", 3), "orders.csv")
    assert returned() == [(3, Decimal(15))]


def _full(*_args: Any) -> None:
    raise OSError(28, "No space left on device")


class KilledError(BaseException):
    """What a kill looks like from inside."""


@pytest.mark.parametrize("step", range(4))
def test_killed_while_it_nets_it_ends_as_an_undisturbed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    rows = line("purchase", 3) + VIEWS + "".join(line("refund", 1, 30 + n) for n in range(6))
    true_write, seen = netting._write, []

    def written(netted: pl.DataFrame) -> None:
        true_write(netted)
        seen.append(netted)
        if len(seen) == step:
            raise KilledError

    monkeypatch.setattr(netting, "_write", written)
    with suppress(KilledError):
        loaded(tmp_path, rows)
    if step:
        assert not Event.objects.exists(), "nobody sees returns that are not netted yet"
        Upload.objects.update(heartbeat_at=None)
        loaded(tmp_path, rows)
    first = Upload.objects.exclude(state="cancelled").get()
    assert about_returns(first) == {"refund_with_order": 6, "refund_netted": 3}
    assert [n for n, _amount in returned()] == [1, 1, 1, 0, 0, 0]
    assert (first.rows_read, first.loaded) == (17, 17)


def test_many_returns_take_no_more_queries_than_their_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netting, "STEP", 4000)
    monkeypatch.setattr(tables, "SIZE", 4000)
    monkeypatch.setattr(tables, "MOST", 4000)

    def queries(n: int, name: str) -> int:
        rows = "".join(
            line("purchase", 1, user=f"{name}{at}") + line("refund", 2, 9, user=f"{name}{at}") for at in range(n)
        )
        with CaptureQueriesContext(connection) as seen:
            loaded(tmp_path, rows, f"{name}.csv")
        return len(seen)

    few, many = queries(2, "few"), queries(300, "many")
    assert many <= few + 4
    assert set(returned()) == {(1, Decimal(5))}


def test_a_file_without_returns_asks_nothing_about_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netting, "_net", None)
    assert loaded(tmp_path, line("purchase", 1) + VIEWS).loaded == 11


def netted(values: list[tuple[int, int | None]], n_bought: int | None, cents: int | None) -> list[Any]:
    rows = [("o", n, money, n_bought, cents) for n, money in values]
    names = {
        "order": pl.String,
        "quantity": pl.Int64,
        "cents": pl.Int64,
        "n_bought": pl.Int64,
        "cents_bought": pl.Int64,
    }
    done = refunds.cut(pl.DataFrame(rows, schema=names, orient="row"), ["order"])
    return done.select("n_kept", "cents_kept").rows()


RETURNS = st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 900)), max_size=6)


@given(values=RETURNS, n=st.none() | st.integers(0, 8), cents=st.none() | st.integers(0, 2000), half=st.integers(0, 6))
def test_cutting_what_was_cut_in_part_gives_the_same(
    values: list[tuple[int, int | None]], n: int | None, cents: int | None, half: int
) -> None:
    once = netted(values, n, None if n is None else cents)
    assert netted([*once[:half], *values[half:]], n, None if n is None else cents) == once
    if n is not None:
        assert sum(kept for kept, _cents in once) <= n
