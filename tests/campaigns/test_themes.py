"""Which mail for whom, from messages in the database to pages."""

from datetime import timedelta

import numpy as np
import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from behaviour.models import Shopper
from campaigns import suits, tasks, theme_reads, themes, topics
from campaigns.core import mail_words
from campaigns.models import Campaign, Message, ThemeRun, Variant
from mailai.errors import StateError
from recommender.core.theme_exam import LIKELY
from recommender.core.theme_text import Said
from tests.campaigns.tastes import KINDS, N_SHOPPERS, draft_about, message, send_drawn, send_to_tastes


def test_nothing_sent_is_nothing_learnt(shop, inbox):
    assert themes.learn() is None
    assert not themes.is_due()
    draft = draft_about(inbox, "Mugs")
    assert suits.suits(draft).standing == "unknown"
    assert [choice.campaign_id for choice in themes.themes_for([1], [draft])[1]] == [draft.pk]


def test_tastes_are_learnt_tested_and_carried_to_a_new_mail(shop_of_tastes, inbox):
    run = themes.learn()
    assert (run.n_mails, run.n_shoppers, len(run.model["campaigns"])) == (2400, 240, 10)
    assert (run.exam["n_learnt"], run.exam["n_tested"]) == (8, 2)
    assert run.exam["likely"] > 3 * run.exam["others"]
    assert themes.standing(run, "difference") == themes.standing(run, "gain") == "passed"
    mugs, bags = draft_about(inbox, "Mugs"), draft_about(inbox, "Bags")
    order = themes.themes_for([shopper.pk for shopper in shop_of_tastes], [mugs, bags])
    firsts = [order[shopper.pk][0].campaign_id for shopper in shop_of_tastes]
    right = [first == (bags if n % 2 else mugs).pk for n, first in enumerate(firsts)]
    assert sum(right) > 0.9 * N_SHOPPERS
    best = order[shop_of_tastes[0].pk][0]
    assert best.factor > LIKELY
    assert best.score > order[shop_of_tastes[0].pk][1].score
    # The evidence: mails about mugs that she got, those she clicked first.
    assert {Campaign.objects.get(pk=pk).variants.get().subject for pk in best.alike} == {"New Mugs are here"}
    clicked = [Message.objects.get(campaign=pk, shopper=shop_of_tastes[0]).clicked_at is not None for pk in best.alike]
    assert clicked == sorted(clicked, reverse=True)


def test_a_choice_sees_nothing_newer_than_its_moment(shop_of_tastes, inbox):
    themes.learn()
    mugs = draft_about(inbox, "Mugs")
    someone, before = shop_of_tastes[0].pk, timezone.now() - timedelta(days=40)
    assert themes.themes_for([someone], [mugs], at=before)[someone][0].factor == 1.0
    middle = timezone.now() - timedelta(days=10)
    then = themes.themes_for([someone], [mugs], at=middle)
    Message.objects.filter(clicked_at__gt=middle).update(clicked_at=None, opened_at=None)
    Message.objects.filter(sent_at__gt=middle).delete()
    assert themes.themes_for([someone], [mugs], at=middle) == then


def test_a_shopper_of_no_mails_gets_what_is_clicked_most_and_one_of_no_reactions_less(
    shop_of_tastes, inbox, make_shopper
):
    Message.objects.filter(campaign__name__in=["Sent 1", "Sent 3"]).update(clicked_at=None)
    run, new = themes.learn(), make_shopper()
    mugs, bags = draft_about(inbox, "Mugs"), draft_about(inbox, "Bags")
    order = themes.themes_for([new.pk], [bags, mugs])[new.pk]
    assert [choice.campaign_id for choice in order] == [mugs.pk, bags.pk]
    assert [choice.factor for choice in order] == [1.0, 1.0]
    assert order[0].score == pytest.approx(themes.click_rate(run, mugs))


def test_where_tastes_do_not_show_everybody_gets_what_is_clicked_most(inbox, make_product, desk):
    for kind in KINDS:
        make_product(sku=kind, category=kind)
    people = send_to_tastes(inbox, likes=0.2, others=0.2)
    run = themes.learn()
    assert themes.standing(run, "gain") == "failed"
    drafts = [draft_about(inbox, kind) for kind in KINDS]
    order = themes.themes_for([shopper.pk for shopper in people], drafts)
    assert len({tuple(choice.campaign_id for choice in row) for row in order.values()}) == 1
    assert {choice.factor for row in order.values() for choice in row} == {1.0}
    page = desk.get(reverse("campaigns:suits", args=[drafts[0].uuid])).content.decode()
    assert "until then nobody is left out" in page
    assert "keep-likely" not in page
    with pytest.raises(StateError):
        suits.keep_likely(drafts[0], by=None)


def test_one_campaign_is_learnt_from_and_not_trusted(inbox, make_product, desk):
    make_product(sku="Mugs", category="Mugs")
    send_to_tastes(inbox, likes=0.5, others=0.1, n_campaigns=1)
    assert themes.standing(themes.learn(), "difference") == "untested"
    page = desk.get(reverse("campaigns:suits", args=[draft_about(inbox, "Mugs").uuid])).content.decode()
    assert "1 campaign with" in page


@pytest.mark.parametrize("seed", [110, 265])
def test_a_handful_of_shoppers_prove_no_choice(inbox, make_product, desk, seed):
    """Learnt are tastes; what is tested is clicked by chance, and twelve shoppers got both of it."""
    for kind in KINDS:
        make_product(sku=kind, category=kind)
    rng, liked = np.random.default_rng(seed), np.arange(N_SHOPPERS)[:, None] % 2 == np.arange(10) % 2
    chance, got = np.where(liked, 0.5, 0.05), np.ones_like(liked)
    chance[:, 8:] = 0.3
    got[12:120, 9] = got[120:, 8] = False
    people = send_drawn(inbox, got, rng.random(chance.shape) < chance)
    run = themes.learn()
    assert run.exam["n_choosers"] <= 12
    # An interval of so few is too narrow.
    assert run.exam["gain"]["low"] > 0
    assert themes.standing(run, "gain") == "untested"
    drafts = [draft_about(inbox, kind) for kind in KINDS]
    order = themes.themes_for([one.pk for one in people], drafts)
    assert {choice.factor for row in order.values() for choice in row} == {1.0}
    # Many were likely to like what they got, and did not click it.
    assert themes.standing(run, "difference") == "failed"
    page = desk.get(reverse("campaigns:suits", args=[drafts[0].uuid])).content.decode()
    assert "can’t be told for this shop" in page
    assert "keep-likely" not in page


def test_a_handful_of_shoppers_who_are_likely_prove_nothing(inbox, make_product, desk):
    for kind in KINDS:
        make_product(sku=kind, category=kind)
    got = np.ones((N_SHOPPERS, 10), bool)
    send_drawn(inbox, got, np.broadcast_to(np.arange(N_SHOPPERS)[:, None] < 20, got.shape))
    run = themes.learn()
    assert run.exam["n_likely_shoppers"] == 20
    assert run.exam["difference"]["low"] > 0
    assert themes.standing(run, "difference") == "untested"
    page = desk.get(reverse("campaigns:suits", args=[draft_about(inbox, "Mugs").uuid])).content.decode()
    assert "It can be tested from four campaigns on" in page
    assert "Tested on the newest" not in page


def test_an_exam_that_says_less_than_those_of_today_is_made_again(shop_of_tastes):
    run = themes.learn()
    assert not themes.is_due()
    del run.exam["n_likely_shoppers"]
    run.save()
    assert themes.standing(run, "difference") == "untested"
    assert themes.is_due()


def learnt_hours_ago(hours):
    ThemeRun.objects.update(at=timezone.now() - timedelta(hours=hours))
    cache.clear()


@pytest.mark.parametrize(("demo", "hours"), [(False, 25), (True, 2)])
def test_the_task_learns_once_until_another_campaign_had_its_time(shop_of_tastes, inbox, demo, hours):
    tasks.learn_themes()
    tasks.learn_themes()
    assert ThemeRun.objects.count() == 1
    learnt_hours_ago(hours=3)
    new, fresh = (draft_about(inbox, "Mugs", name=name, demo=demo) for name in ("New", "Fresh"))
    now = timezone.now()
    message(fresh, shop_of_tastes[0], now, clicked=False).save()
    message(Campaign.objects.get(name="Sent 9"), Shopper.objects.create(), now, clicked=True).save()
    tasks.learn_themes()
    assert ThemeRun.objects.count() == 1
    cache.clear()
    message(new, shop_of_tastes[0], now - timedelta(hours=hours), clicked=False).save()
    tasks.learn_themes()
    tasks.learn_themes()
    assert ThemeRun.objects.count() == 2
    assert names_of(themes.current()) & {"New", "Fresh"} == {"New"}


def test_the_task_learns_again_after_a_day_in_which_mails_had_their_time(shop_of_tastes):
    tasks.learn_themes()
    learnt_hours_ago(hours=25)
    tasks.learn_themes()
    assert ThemeRun.objects.count() == 1
    sent = timezone.now() - timedelta(hours=30)
    message(Campaign.objects.get(name="Sent 9"), Shopper.objects.create(), sent, clicked=True).save()
    tasks.learn_themes()
    assert ThemeRun.objects.count() == 2


@pytest.mark.parametrize("hours", [1, 25])
def test_the_task_does_not_count_the_mails_of_the_shop_to_find_nothing_new(shop_of_tastes, hours):
    tasks.learn_themes()
    learnt_hours_ago(hours)
    with CaptureQueriesContext(connection) as asked:
        tasks.learn_themes()
    about_mails = [one["sql"] for one in asked if '"campaigns_message"' in one["sql"]]
    assert about_mails
    assert all('"sent_at" >' in sql and "GROUP BY" not in sql for sql in about_mails)


def names_of(run):
    return set(Campaign.objects.filter(pk__in=run.model["campaigns"]).values_list("name", flat=True))


def test_the_command_tells_the_exam(shop_of_tastes, capsys):
    call_command("learn_themes", "--json")
    out = capsys.readouterr().out
    assert '"likely_may_be_chosen": "passed"' in out
    assert '"n_tested": 2' in out


def test_what_was_learnt_at_the_newest_moment_serves(shop_of_tastes, capsys):
    newest = themes.learn()
    call_command("learn_themes", "--now", (timezone.now() - timedelta(days=9)).isoformat(), "--json")
    assert ThemeRun.objects.count() == 2
    assert themes.current() == newest
    # One of the future, stored before they were refused.
    ThemeRun.objects.create(at=timezone.now() + timedelta(days=900), model=newest.model)
    assert themes.current() == newest
    for _again in range(themes.KEPT + 2):
        newest = themes.learn()
    assert themes.current() == newest


@pytest.mark.parametrize("now", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00", "2101-01-01T00:00:00Z"])
@pytest.mark.parametrize("command", [("learn_themes",), ("plan_campaign", "1"), ("send_campaign", "1")])
def test_a_moment_of_another_age_is_refused_in_a_sentence(shop_of_tastes, capsys, now, command):
    draft = Campaign.objects.first()
    with pytest.raises(SystemExit):
        call_command(command[0], *[str(draft.pk) for _id in command[1:]], "--now", now, "--json")
    assert "must be a time from 1970 to 2100" in capsys.readouterr().out


def test_nothing_is_learnt_of_the_future(shop_of_tastes, capsys):
    with pytest.raises(SystemExit):
        call_command("learn_themes", "--now", (timezone.now() + timedelta(hours=1)).isoformat(), "--json")
    assert "must not be later than now" in capsys.readouterr().out
    assert not ThemeRun.objects.exists()


def test_the_cost_in_queries_does_not_grow_with_shoppers(shop_of_tastes, inbox, django_assert_num_queries):
    themes.learn()
    drafts = [draft_about(inbox, kind) for kind in KINDS]
    ids = [shopper.pk for shopper in shop_of_tastes]
    themes.themes_for(ids[:1], drafts)
    for n in (2, N_SHOPPERS):
        with django_assert_num_queries(4):
            themes.themes_for(ids[:n], drafts)


def test_the_page_of_a_shopper_says_what_she_reacts_to(shop_of_tastes, inbox, desk):
    themes.learn()
    someone = shop_of_tastes[0]
    Message.objects.filter(shopper=someone).update(opened_at=None, clicked_at=None, machine_opened_at=None)
    at = timezone.now() - timedelta(days=2)
    for n in (0, 2, 4, 6):
        Message.objects.filter(shopper=someone, campaign__name=f"Sent {n}").update(opened_at=at)
    Message.objects.filter(shopper=someone, campaign__name__in=["Sent 0", "Sent 2"]).update(clicked_at=at)
    Message.objects.filter(shopper=someone, campaign__name="Sent 1").update(machine_opened_at=at)
    mugs, bags = topics.topics_of(someone.pk)
    assert (mugs.label, mugs.n_opened, mugs.n_got, mugs.n_clicked, mugs.leaning) == ("Mugs", 4, 5, 2, "more")
    # One of the five about bags was fetched by a machine: nobody can say whether she opened it.
    assert (bags.label, bags.n_opened, bags.n_got, bags.n_sent, bags.leaning) == ("Bags", 0, 4, 5, "less")
    draft_about(inbox, "Mugs", name="Autumn mugs")
    page = desk.get(reverse("analytics:shopper", args=[someone.pseudonym])).content.decode()
    assert "opened 4 of 5 emails" in page
    assert "Of the drafts, “Autumn mugs” suits her best" in page


def test_the_draft_that_suits_her_need_not_be_the_one_that_all_click(inbox, make_product, desk):
    for kind in KINDS:
        make_product(sku=kind, category=kind)
    rng, liked = np.random.default_rng(1), np.arange(N_SHOPPERS)[:, None] % 2 == np.arange(10) % 2
    # Emails about bags are clicked twice as often as those about mugs.
    chance = np.where(np.arange(10) % 2, np.where(liked, 0.5, 0.1), np.where(liked, 0.3, 0.02))
    people = send_drawn(inbox, np.ones_like(liked), rng.random(chance.shape) < chance)
    assert themes.standing(themes.learn(), "gain") == "passed"
    mugs, bags = (draft_about(inbox, kind, name=f"New {kind}") for kind in KINDS)
    found = themes.themes_for([one.pk for one in people], [mugs, bags])
    someone = next(
        one
        for one in people
        if [(choice.campaign_id, choice.factor >= LIKELY) for choice in found[one.pk]]
        == [(bags.pk, False), (mugs.pk, True)]
    )
    page = desk.get(reverse("analytics:shopper", args=[someone.pseudonym])).content.decode()
    assert "Of the drafts, “New Mugs” suits her best" in page


def test_what_a_mail_is_about():
    paths = ["Home > Mugs", "Bags", "Home > Tea", "厨房 > 杯子"]
    assert mail_words.named("Our MUGS and teapots", paths) == ["Home > Mugs"]
    assert mail_words.named("新的杯子", paths) == ["厨房 > 杯子"]
    assert mail_words.plain("{{ first_name|Mugs lover }}, look") == ", look"
    assert mail_words.addresses('<mj-button href="https://a.example/x" /><a href="{{ pick1.url }}">') == {
        "https://a.example/x"
    }


def test_wished_categories_and_linked_products_say_what_a_mail_is_about(inbox, make_product):
    make_product(sku="x", name="Blue kettle", category="Home > Kettles", url="https://shop.example/kettle")
    campaign = Campaign.objects.create(name="A", sender=inbox, filters={"categories": ["Bags"]})
    mjml = '<mjml><mj-button href="https://shop.example/kettle">See</mj-button></mjml>'
    Variant.objects.create(
        campaign=campaign, subject="{{ first_name }}, see", preheader="Today", mjml=mjml, template="t"
    )
    assert theme_reads.said([campaign]) == [Said(", see Today Blue kettle", ("Bags", "Home > Kettles"), "t")]


def test_a_draft_remembers_the_ready_made_email_it_began_with(desk, ready):
    door = reverse("campaigns:content", args=[ready.uuid])
    desk.post(door, {"starter": "we_miss_you"})
    desk.post(door, {"mjml": "<mjml></mjml>"})
    desk.post(reverse("campaigns:subject", args=[ready.uuid]), {
        "form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "0", "form-0-subject": "A", "form-1-subject": "B",
    })  # fmt: skip
    assert set(ready.variants.values_list("template", flat=True)) == {"we_miss_you"}
    desk.post(reverse("campaigns:duplicate", args=[ready.uuid]))
    assert Variant.objects.filter(template="we_miss_you").count() == 4
