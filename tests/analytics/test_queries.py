"""The figures of a report against a campaign that was counted by hand (conftest.counted)."""

import csv
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics import overview
from analytics.exports import HEADER, figures, rows
from analytics.queries import campaign_report
from behaviour.models import Product
from mailai.ui.exports import csv_parts
from segments.models import Profile
from tests.analytics.conftest import NOW, SENT_AT


def test_the_funnel_counts_every_shopper_once(counted: Any) -> None:
    counts = campaign_report(counted, NOW).counts
    assert counts == {
        "planned": 15,
        "control": 2,
        "skipped": 2,
        "waiting": 0,
        "sent": 12,
        "failed": 1,
        "in_doubt": 1,
        "bounced": 1,
        "delivered": 11,
        # Two opened and stayed, one clicked with pictures off, one clicked and ordered.
        "opened": 4,
        "machine_opened": 1,
        "clicked": 2,
        "ordered": 1,
        "unsubscribed": 1,
        "complained": 0,
    }


def test_rates_stand_on_their_base_with_a_range(counted: Any) -> None:
    rates = campaign_report(counted, NOW).rates
    assert (rates["delivered"].k, rates["delivered"].n) == (11, 12)
    assert (rates["clicked"].k, rates["clicked"].n) == (2, 11)
    assert rates["clicked"].value == pytest.approx(2 / 11)
    assert rates["clicked"].low is not None
    assert rates["clicked"].high is not None
    assert rates["clicked"].low < 2 / 11 < rates["clicked"].high
    assert rates["clicked"].too_early


def test_orders_in_the_window_are_compared_by_intention_to_treat(counted: Any) -> None:
    lift = campaign_report(counted, NOW).lift
    # Failed, doubtful and late-skipped mails stay in the group; the order after seven days does not count.
    assert (lift.treated.n_shoppers, lift.treated.n_buyers, lift.treated.n_orders) == (15, 1, 1)
    assert lift.treated.spent.tolist() == [30.0]
    assert (lift.control.n_shoppers, lift.control.n_buyers, lift.control.n_orders) == (2, 1, 2)
    assert lift.control.spent.tolist() == [12.0]
    assert lift.difference is not None
    assert lift.difference.value == pytest.approx(1 / 15 - 1 / 2)


def test_attributed_revenue_is_what_the_messages_carry(counted: Any) -> None:
    report = campaign_report(counted, NOW)
    assert report.revenue == 30.0
    assert report.revenue_per_message is None


def test_clicks_are_counted_per_product_and_link(counted: Any) -> None:
    report = campaign_report(counted, NOW)
    assert [(one.label, one.n_shoppers, one.n_clicks) for one in report.products] == [("Mug", 1, 5)]
    assert [(one.label, one.n_shoppers, one.n_clicks) for one in report.links] == [("Shop", 1, 2)]


def test_opens_and_clicks_are_drawn_over_time(counted: Any) -> None:
    report = campaign_report(counted, NOW)
    assert report.series.width_minutes == 60
    assert report.series.opens.sum() == 3
    assert report.series.opens[[1, 2, 50]].tolist() == [1, 1, 1]
    assert report.series.clicks[[1, 5]].tolist() == [1, 1]
    assert report.half_of_clicks_minutes == 90


def test_stages_and_skip_reasons_add_up(counted: Any) -> None:
    Profile.objects.create(shopper=counted.messages.get(ordered_at__isnull=False).shopper, stage="loyal")
    report = campaign_report(counted, NOW)
    assert report.skipped == {"no_consent": 1, "suppressed": 1}
    assert [(part.key, part.delivered, part.ordered) for part in report.stages] == [("loyal", 1, 1), ("", 10, 0)]
    assert [(part.key, part.label, part.delivered) for part in report.variants] == [("A", "Three picks for you", 11)]


def test_the_window_decides_whether_the_comparison_is_final(counted: Any) -> None:
    assert campaign_report(counted, NOW).is_final
    early = campaign_report(counted, SENT_AT + timedelta(days=2))
    assert not early.is_final
    assert early.counted_until == SENT_AT + timedelta(days=2)


def test_a_campaign_without_messages_has_a_report(shop: Any, make_campaign: Any) -> None:
    report = campaign_report(make_campaign(state="draft", send_at=None))
    assert report.rates["clicked"].value is None
    assert report.lift.difference is None
    assert report.per_hour is None


def test_the_number_of_queries_does_not_grow(counted: Any, make_message: Any) -> None:
    with CaptureQueriesContext(connection) as few:
        campaign_report(counted, NOW)
    for n in range(30):
        make_message(counted, hours={"opened": n, "clicked": n, "ordered": n}, revenue=Decimal(n))
    with CaptureQueriesContext(connection) as many:
        campaign_report(counted, NOW)
    assert len(many) == len(few) <= 13


def test_the_command_prints_every_figure(counted: Any) -> None:
    out = StringIO()
    call_command("campaign_report", str(counted.uuid), "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["counts"]["sent"] == 12
    assert set(answer["rates"]["opened"]) == {"k", "n", "rate", "low", "high", "too_early"}
    assert answer["lift"]["treated"]["n_buyers"] == 1
    assert set(answer) == set(figures(campaign_report(counted)))
    assert {"low", "high"} < set(answer["lift"]["difference"])


def test_the_command_says_what_is_wrong(db: None) -> None:
    out = StringIO()
    for key in ("7", "nonsense"):
        with pytest.raises(SystemExit) as stop:
            call_command("campaign_report", key, "--json", stdout=out)
        assert stop.value.code == 1
    assert "neither a number nor a UUID" in out.getvalue()


def test_the_export_runs_no_formula(counted: Any) -> None:
    counted.name = "=cmd()"
    counted.save()
    table = list(csv.reader("".join(csv_parts(rows(campaign_report(counted, NOW)))).splitlines()))
    assert ["campaign", "name", "'=cmd()", "", "", ""] in table
    assert ["counts", "delivered", "11", "", "", ""] in table
    assert {len(row) for row in table} == {len(HEADER)}


def test_rates_are_set_beside_those_of_the_campaigns_before(
    counted: Any, make_campaign: Any, make_message: Any
) -> None:
    assert campaign_report(counted, NOW).usual_rates["clicked"].n == 0
    earlier = make_campaign(name="Before", send_at=SENT_AT - timedelta(days=9))
    make_message(earlier, hours={"clicked": 1})
    make_message(earlier)
    make_message(make_campaign(name="After", send_at=SENT_AT + timedelta(days=1)))
    usual = campaign_report(counted, NOW).usual_rates["clicked"]
    assert (usual.k, usual.n) == (1, 2)


def test_a_deleted_product_leaves_the_place_of_its_pick(counted: Any) -> None:
    Product.objects.all().delete()
    report = campaign_report(counted, NOW)
    assert report.products == []
    assert [one.label for one in report.links] == ["Shop", "Pick 1", "Pick 1"]


def test_young_campaigns_stay_out_of_the_weekly_comparison(
    shop: Any, make_campaign: Any, make_message: Any, make_event: Any
) -> None:
    for days in (20, 8, 3):
        campaign = make_campaign(name=f"{days} days ago", send_at=NOW - timedelta(days=days))
        buyer = make_message(campaign)
        make_message(campaign, "control")
        make_event(buyer.shopper, at=campaign.send_at + timedelta(hours=1), order_ref="o", amount=Decimal("5.00"))
    lines = overview.complete(overview.recent_lines(NOW), shop, NOW)
    weeks = overview.weeks(lines, shop)
    assert [week.monday.isoformat() for week in weeks] == ["2026-11-02", "2026-11-16"]
    assert [(week.treated.k, week.treated.n, week.control.n) for week in weeks] == [(1, 1, 1), (1, 1, 1)]


def test_orders_per_week_count_each_order_once(shop: Any, make_shopper: Any, make_event: Any) -> None:
    monday = datetime(2026, 11, 16, tzinfo=UTC)
    shopper = make_shopper()
    for ref, at in (("a", 1), ("a", 1), ("b", 160), ("c", 168)):
        make_event(shopper, at=monday + timedelta(hours=at), order_ref=ref)
    weeks = overview.orders_per_week(shop, NOW)
    assert len(weeks) == overview.N_WEEKS
    assert weeks[-1] == (monday.date(), 2)
