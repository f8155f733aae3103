"""The demo shop made live: data, segments, profiles, a trained model, the demo inbox. Only this room sees all."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from behaviour import demo
from behaviour.models import Shopper
from campaigns import senders
from mailai.accounts.models import AuditEntry
from mailai.errors import StateError
from recommender import services as recommender
from recommender.models import TrainingRun
from segments import clustering, predictions, profiles, services, stage_history

Say = Callable[[str], None]


def wanted() -> bool:
    """Say whether a start should load the demo shop, or complete it: nothing real is there, and nobody removed it."""
    real = Shopper.objects.filter(demo=False).exists()
    removed = AuditEntry.objects.filter(action="demo.remove").exists()
    return not (real or removed or is_complete())


def is_complete() -> bool:
    """Say whether the demo shop is there and live: its model is the last thing that is made."""
    return demo.has_demo() and TrainingRun.objects.filter(state=TrainingRun.State.DONE).exists()


def set_up_demo_shop(*, by: Any = None, say: Say = lambda text: None) -> dict[str, Any]:
    """Do every step that is not done yet; a second call completes what a kill left open."""
    loaded = demo.load_demo_shop(by=by, say=say)
    senders.ensure_demo_inbox()
    services.make_starter_segments(demo=True)
    say("Shopper profiles")
    profiles.refresh_profiles(everybody=True)
    if clustering.is_due():
        say("Groups of similar shoppers")
        # A worker that is at it already does it as well.
        with suppress(StateError):
            clustering.cluster_shoppers()
    if predictions.is_due():
        say("What shoppers will do next")
        with suppress(StateError):
            predictions.predict()
    if stage_history.is_due():
        say("Stages of the past months")
        stage_history.record_stages()
    if not TrainingRun.objects.filter(state=TrainingRun.State.DONE).exists():
        say("A model that picks products")
        recommender.request_training(by=by)
        for run_id in recommender.waiting_runs():
            recommender.train(run_id)
    say(f"The demo shop is ready: {loaded.shoppers} shoppers, {loaded.events} events.")
    return {"shoppers": loaded.shoppers, "products": loaded.products, "events": loaded.events}
