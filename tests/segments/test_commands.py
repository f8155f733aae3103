"""The doors: counts, exports and starters from the command line."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from segments import services
from segments.models import Segment


def run(*words: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


def refused(*words: str) -> str:
    out = StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command(*words, "--json", stdout=out)
    assert stopped.value.code == 1
    return json.loads(out.getvalue())["error"]


def test_a_rule_in_a_file_is_counted(make_shopper: Any, tmp_path: Path) -> None:
    make_shopper("a@shop.example", country="France")
    make_shopper("b@shop.example", country="Spain")
    make_shopper(country="France")
    rule = tmp_path / "rule.json"
    rule.write_text('{"field": "country", "op": "=", "value": "France"}')
    answer = run("segment_count", "--rule", str(rule))
    assert answer.pop("seconds") >= 0
    assert answer == {"count": 2, "mailable": 1, "excluded": {"no_address": 1}}


def test_a_segment_is_counted_by_name_and_a_wrong_name_is_helped(make_shopper: Any) -> None:
    make_shopper()
    Segment.objects.create(name="Everybody", rule={"all": []})
    assert run("segment_count", "--segment", "Everybody")["count"] == 1
    assert "Did you mean “Everybody”?" in refused("segment_count", "--segment", "Everybdy")
    assert "Make it first" in refused("segment_count", "--segment", "zzz")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"field": "n_ordrs", "op": "=", "value": 1}'])
def test_a_file_that_is_no_rule_is_a_sentence(db: None, tmp_path: Path, text: str) -> None:
    rule = tmp_path / "rule.json"
    rule.write_text(text)
    assert refused("segment_count", "--rule", str(rule))
    assert "can't be read" in refused("segment_count", "--rule", str(tmp_path / "none.json"))


def test_an_export_holds_pseudonyms_and_nothing_else(make_shopper: Any, tmp_path: Path) -> None:
    shopper = make_shopper("a@shop.example", first_name="Anna")
    Segment.objects.create(name="Everybody", rule={"all": []})
    out = tmp_path / "out.csv"
    assert run("segment_export", "--segment", "Everybody", "--out", str(out))["shoppers"] == 1
    assert out.read_text().split() == ["pseudonym", shopper.pseudonym]
    assert "can't be written" in refused(
        "segment_export", "--segment", "Everybody", "--out", str(tmp_path / "no" / "x")
    )


def test_starters_are_made_once(db: None) -> None:
    for _turn in range(2):
        assert len(run("starter_segments", "--demo")["segments"]) == 4
    assert Segment.objects.filter(demo=True).count() == 4
    assert len(services.make_starter_segments()) == 4
    assert Segment.objects.count() == 4


@pytest.mark.parametrize("command", ["predict", "cluster_shoppers"])
@pytest.mark.parametrize("seed", ["x", "-1", "1.5", "99999999999999999999"])
def test_a_seed_that_draws_nothing_is_wrong_usage(db: None, command: str, seed: str) -> None:
    with pytest.raises(CommandError, match="is no whole number from 0 to"):
        call_command(command, f"--seed={seed}")


def test_an_empty_shop_has_nothing_to_predict_or_to_group(shop: Any) -> None:
    assert run("predict")["shoppers"] == 0
    assert run("cluster_shoppers")["groups"] == {}
    Segment.objects.create(name="Everybody", rule={"all": []})
    assert run("segment_count", "--segment", "Everybody")["count"] == 0
