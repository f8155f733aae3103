"""Every key to a shopper says what a merge does with it, and the merge does it; a new key can't be forgotten."""

import io
from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.urls import reverse

from behaviour import merge_moves, merging, uploads
from behaviour.importing import import_upload
from behaviour.models import Event, Merge, Shopper
from behaviour.removal import undo_upload
from campaigns.models import Campaign, InboxMail, Message
from segments.models import Segment

MOVES, COMPUTED, OWN_RULES = "moves", "is computed anew", "has rules of its own"
# Who adds a key to a shopper decides here what becomes of it when two shoppers turn out to be one.
DECIDED = {
    "behaviour.Event.shopper": MOVES,
    "behaviour.Shopper.merged_into": MOVES,
    "behaviour.Consent.shopper": MOVES,
    "behaviour.ShopperChange.shopper": MOVES,
    "campaigns.Message.shopper": MOVES,
    "campaigns.InboxMail.shopper": MOVES,
    "segments.ShopperListMember.shopper": MOVES,
    "segments.Profile.shopper": COMPUTED,
    "segments.Prediction.shopper": COMPUTED,
    # Its fields fill what the kept shopper lacks (behaviour.identity.hand_over).
    "behaviour.Identity.shopper": OWN_RULES,
    # It tells who was joined with whom, and stays.
    "behaviour.Merge.kept": OWN_RULES,
    "behaviour.Merge.joined": OWN_RULES,
}


def _keys():
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.get_fields(include_hidden=True):
            if field.concrete and field.remote_field and field.remote_field.model is Shopper:
                yield f"{model._meta.label}.{field.name}", field


def test_somebody_decided_what_a_merge_does_with_each_key_to_a_shopper():
    assert {name for name, _field in _keys()} == set(DECIDED)


def test_a_merge_knows_every_key_hidden_ones_too():
    known = {f"{one.related_model._meta.label}.{one.field.name}" for one in merge_moves.keys_to_shopper()}
    assert known == set(DECIDED)
    moved = {f"{model._meta.label}.{name}" for model, name in merge_moves.fields_to_shopper()}
    assert moved == {name for name, decision in DECIDED.items() if decision == MOVES}
    # What moved is noted by model: two keys of one model would be mixed up.
    assert len({name.rsplit(".", 1)[0] for name in moved}) == len(moved)
    # What is computed goes with the joined shopper's row, which only a key to one row each tells.
    one_to_one = {name for name, field in _keys() if field.one_to_one}
    assert one_to_one - {"behaviour.Identity.shopper"} == {
        name for name, decision in DECIDED.items() if decision == COMPUTED
    }


@pytest.fixture
def mailed(make_shopper):
    """A browser that has a mail of a campaign and a test mail in the demo inbox, and the shopper whose it is."""
    visitor, user = make_shopper(external_id="visitor-a"), make_shopper(external_id="U1")
    segment = Segment.objects.create(name="Everybody", rule={"all": []})
    message = Message.objects.create(
        campaign=Campaign.objects.create(name="Spring", segment=segment), shopper=visitor, arm="A", probability=1,
        draw=0.5, due_at=datetime.now(UTC),
    )  # fmt: skip
    for one in (message, None):
        InboxMail.objects.create(message=one, shopper=visitor, raw="Subject: Hello\n\nText\n")
    return visitor, user


def test_mails_in_the_demo_inbox_go_with_the_shopper_and_come_back(mailed):
    visitor, user = mailed
    merging.join([("visitor-a", "U1")])
    assert set(InboxMail.objects.values_list("shopper_id", flat=True)) == {user.pk}
    merging.undo_merge(Merge.objects.get(), by=None)
    assert set(InboxMail.objects.values_list("shopper_id", flat=True)) == {visitor.pk}


def test_the_inbox_names_who_the_shopper_is_now(mailed, marketer, client_for):
    visitor, user = mailed
    merging.join([("visitor-a", "U1")])
    html = client_for(marketer).get(reverse("campaigns:inbox")).content.decode()
    assert user.pseudonym in html
    assert visitor.pseudonym not in html


@pytest.mark.django_db
def test_the_undo_of_a_file_keeps_whom_a_test_mail_was_sent_to():
    text = "user_id,event,product_id,timestamp\nU1,view,P1,2024-05-01\nU2,view,P1,2024-05-01\n"
    upload = import_upload(uploads.queue(uploads.receive_upload(io.BytesIO(text.encode()), "views.csv")).pk)
    InboxMail.objects.create(shopper=Shopper.objects.get(external_id="U1"), raw="Subject: Hello\n\nText\n")
    undo_upload(upload)
    assert list(Shopper.everything.values_list("external_id", flat=True)) == ["U1"]
    assert not Event.everything.exists()
    assert InboxMail.objects.count() == 1
