"""The demo shop made live, from the first-run page and by command."""

import json

import pytest
from django.core.management import call_command
from django.urls import reverse

from analytics import demo_setup, tasks
from behaviour import demo
from behaviour.demo import loading, source
from behaviour.models import Event
from campaigns.models import Sender
from mailai.accounts import audit
from recommender.core.algorithms import AUTOMATIC
from recommender.models import TrainingRun
from segments.models import Prediction, PredictionRun, Profile, Segment

ORDERS = 200


@pytest.fixture
def small_demo(monkeypatch):
    monkeypatch.setattr(demo, "load_demo_shop", lambda **options: loading.load_demo_shop(n_orders=ORDERS, **options))


def test_the_task_makes_everything_live_and_can_run_twice(small_demo, admin):
    tasks.load_demo(admin.pk)
    tasks.load_demo(admin.pk)
    assert Event.objects.count() == len(source.read_year(ORDERS).lines)
    assert Sender.objects.count() == 1
    assert Segment.objects.filter(demo=True).count() == 4
    assert Profile.objects.filter(n_orders__gt=0).exists()
    assert set(TrainingRun.objects.values_list("algorithm", "state")) == {(name, "done") for name in AUTOMATIC}
    # 200 orders are enough to be told what comes next; nothing is locked.
    buyers = Profile.objects.filter(n_orders__gt=0).count()
    assert Prediction.objects.count() == buyers
    assert PredictionRun.objects.get().n_shoppers == buyers


def test_a_start_loads_it_once_and_never_again_after_a_removal(small_demo, db, capsys):
    call_command("demo_shop", "--if-empty", "--json")
    assert json.loads(capsys.readouterr().out)["loaded"]
    call_command("demo_shop", "--if-empty", "--json")
    assert not json.loads(capsys.readouterr().out)["loaded"]
    demo.remove_demo_shop()
    assert not demo_setup.wanted()


def test_a_start_leaves_a_real_shop_alone(make_shopper):
    make_shopper()
    assert not demo_setup.wanted()


def test_a_half_loaded_demo_is_completed(small_demo, db):
    demo.load_demo_shop()
    assert demo_setup.wanted()


def test_loading_takes_a_post_by_an_admin(client_for, admin, marketer, monkeypatch, django_capture_on_commit_callbacks):
    started = []
    monkeypatch.setattr(tasks.load_demo, "delay", lambda *args: started.append(args))
    address = reverse("analytics:load_demo")
    assert client_for(marketer).post(address).status_code == 403
    assert client_for(admin).get(address).status_code == 405
    with django_capture_on_commit_callbacks(execute=True):
        assert client_for(admin).post(address).status_code == 302
    assert started == [(admin.pk,)]


def test_the_first_page_fills_by_itself_when_the_demo_is_complete(small_demo, client_for, admin):
    """Half a shop is not shown; the page asks until the model is there, then it opens itself again."""
    client, progress = client_for(admin), reverse("analytics:demo_progress")
    demo.load_demo_shop()
    assert progress in client.get("/?loading=demo").content.decode()
    assert "HX-Redirect" not in client.get(progress)
    demo_setup.set_up_demo_shop()
    assert client.get(progress)["HX-Redirect"] == reverse("analytics:today")
    assert progress not in client.get("/?loading=demo").content.decode()


def test_loading_beside_real_shoppers_is_refused(client_for, admin, make_shopper, monkeypatch):
    make_shopper()
    monkeypatch.setattr(tasks.load_demo, "delay", lambda *args: pytest.fail("started"))
    assert client_for(admin).post(reverse("analytics:load_demo")).status_code == 302


def test_a_removal_by_somebody_is_remembered(admin):
    audit.record("demo.remove", by=admin)
    assert not demo_setup.wanted()
