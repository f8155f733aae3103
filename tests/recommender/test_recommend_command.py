"""manage.py recommend: a file of lists from a file of behaviour, no database."""

import csv
import gzip
import json

import numpy as np
import pytest
from django.core.management import call_command

from tests.recommender.test_tuning import returning_shop

HEADER = "user_id,item_id,event,timestamp\n"


def history_of(log):
    """The log as the text of a behaviour file."""
    start = np.datetime64("2026-01-01T00:00:00")
    stamps = [start + np.timedelta64(int(day * 86_400), "s") for day in log.days]
    rows = zip(log.users, log.items, stamps, strict=True)
    return HEADER + "".join(f"u{user:02},p{item:02},purchase,{stamp}Z\n" for user, item, stamp in rows)


@pytest.fixture
def ask(tmp_path, capsys):
    """Write the files, call the command and return (answer, rows of the file it wrote)."""

    def call(history, users="u00\nu01\n", *options, out="out.csv"):
        for name, text in (("history.csv", history), ("users.csv", users)):
            if text is not None:
                (tmp_path / name).write_text("user_id\n" + text if name == "users.csv" else text)
        paths = {name: str(tmp_path / name) for name in ("history.csv", "users.csv", out)}
        call_command(
            "recommend", "--history", paths["history.csv"], "--users", paths["users.csv"], "--out", paths[out],
            "--budget", "3", "--json", *options,
        )  # fmt: skip
        opened = gzip.open if out.endswith(".gz") else open
        with opened(paths[out], "rt") as file:
            return json.loads(capsys.readouterr().out), list(csv.DictReader(file))

    return call


def by_user(rows):
    lists = {}
    for row in rows:
        lists.setdefault(row["user_id"], []).append(row)
    return lists


def test_every_shopper_asked_for_gets_a_whole_list_known_or_not(ask):
    answer, rows = ask(history_of(returning_shop()), "u03\nstranger\nu01\nu03\n", "--k", "4")
    lists = by_user(rows)
    assert list(rows[0]) == ["user_id", "item_id", "rank", "score"]
    # In the order of the users file, each once.
    assert list(lists) == ["u03", "stranger", "u01"]
    for own in lists.values():
        assert [row["rank"] for row in own] == ["1", "2", "3", "4"]
        assert len({row["item_id"] for row in own}) == 4
        scores = [float(row["score"]) for row in own]
        assert scores == sorted(scores, reverse=True)
        assert scores[-1] > 0
    assert answer["shoppers"] == 3
    assert answer["unknown"] == 1
    assert answer["rows"] == 12
    assert answer["validation"]["kind"] == "time"
    assert answer["cut_short"] is False
    assert {row["name"] for row in answer["validation"]["table"]} >= {"popular", "blend"}
    assert answer["algorithm"] in {"user_based", "blend", "two_stage"} | {
        row["name"] for row in answer["validation"]["table"]
    }


def test_the_same_files_and_seed_give_the_same_output(ask):
    history = history_of(returning_shop())
    assert ask(history) == ask(history)


def test_dropping_repeats_leaves_out_what_was_bought(ask):
    log = returning_shop()
    bought = {(f"u{user:02}", f"p{item:02}") for user, item in zip(log.users, log.items, strict=True)}
    _answer, rows = ask(history_of(log), "u00\nu05\n", "--repeats", "drop", "--algorithm", "user_based")
    assert len(rows) == 20
    assert not {(row["user_id"], row["item_id"]) for row in rows} & bought
    _answer, kept = ask(history_of(log), "u00\nu05\n", "--algorithm", "user_based")
    assert {(row["user_id"], row["item_id"]) for row in kept} & bought


def test_packed_files_are_written_and_a_named_algorithm_is_not_tuned(ask):
    answer, rows = ask(history_of(returning_shop()), "u00\n", "--algorithm", "popular", out="out.csv.gz")
    assert answer["algorithm"] == "popular"
    assert answer["validation"]["table"] == []
    assert len(rows) == 10


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["u00,x,purchase,2026-01-01"], ["x"]),
        (["u00,x,purchase,2026-01-01", "u00,y,view,2026-01-02"], ["x", "y"]),
        (["u00,x,view,2026-01-01"] * 3, ["x"]),
        (
            [f"u{n:02},{item},purchase,2026-01-0{day}" for n in range(9) for day, item in ((1, "x"), (2, "y"))],
            ["x", "y"],
        ),
    ],
)
def test_thin_and_uniform_shops_still_get_what_there_is(ask, lines, expected):
    _answer, rows = ask(HEADER + "\n".join(lines) + "\n", "u00\nnew\n")
    assert {row["user_id"] for row in rows} <= {"u00", "new"}
    assert {row["item_id"] for row in rows} <= set(expected)
    assert any(row["user_id"] == "new" for row in rows)


def test_a_slow_machine_is_interrupted_and_says_so(ask, monkeypatch):
    clock = iter(range(0, 100_000, 10))
    monkeypatch.setattr("recommender.lists.time.process_time", lambda: next(clock))
    answer, rows = ask(history_of(returning_shop()))
    assert answer["cut_short"] is True
    assert {row["name"] for row in answer["validation"]["table"]} == {"popular", "blend"}
    assert len(rows) == 20


def test_a_file_without_a_clock_is_read_by_position(ask):
    rows = [f"u{user:02},p{(user + place) % 5},purchase,{place}" for user in range(12) for place in range(4)]
    answer, rows = ask("user_id,item_id,event,position\n" + "\n".join(rows) + "\n", "u00\n", "--k", "2")
    assert answer["validation"]["kind"] == "last"
    assert len(rows) == 2


GOOD = HEADER + "u00,x,purchase,2026-01-01\n"


@pytest.mark.parametrize(
    ("history", "users", "options", "sentence"),
    [
        (None, "u00\n", [], "There is no file"),
        ("a,b\n1,2\n", "u00\n", [], "no column user_id"),
        (GOOD, "", [], "names no shopper"),
        (GOOD, None, [], "There is no file"),
        (GOOD, "u00\n", ["--k", "0"], "at least 1 place"),
        (GOOD, "u00\n", ["--budget", "0"], "more than 0 seconds"),
        (GOOD, "u00\n", ["--budget", "inf"], "more than 0 seconds, and come to an end"),
        (GOOD, "u00\n", ["--algorithm", "user_bsed"], "Did you mean user_based?"),
        (GOOD, "u00\n", ["--out", "no/such/folder/out.csv"], "can't be written"),
        (GOOD, "u00\n", ["--items", "no-such-file.csv"], "There is no file"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_sentence(ask, capsys, history, users, options, sentence):
    with pytest.raises(SystemExit) as stopped:
        ask(history, users, *options)
    assert stopped.value.code == 1
    assert sentence in json.loads(capsys.readouterr().out)["error"]


def test_a_users_file_needs_its_column(ask, tmp_path, capsys):
    (tmp_path / "others.csv").write_text("name\nu00\n")
    with pytest.raises(SystemExit):
        ask(GOOD, "u00\n", "--users", str(tmp_path / "others.csv"))
    assert "no column user_id" in json.loads(capsys.readouterr().out)["error"]
