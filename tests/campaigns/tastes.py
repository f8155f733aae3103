"""A shop whose shoppers differ in the emails that they click."""

from datetime import timedelta

import numpy as np
from django.utils import timezone

from behaviour.models import Shopper
from campaigns.models import Campaign, Message, Variant

N_SHOPPERS, N_CAMPAIGNS = 240, 10
KINDS = ("Mugs", "Bags")


def send_to_tastes(inbox, *, likes, others, n_campaigns=N_CAMPAIGNS):
    draws = np.random.default_rng(4).random((n_campaigns, N_SHOPPERS)).T
    liked = np.arange(N_SHOPPERS)[:, None] % 2 == np.arange(n_campaigns) % 2
    return send_drawn(inbox, np.ones_like(liked), draws < np.where(liked, likes, others))


def send_drawn(inbox, got, clicked):
    """Send campaigns in turn; both bool of shape (n_shoppers, n_campaigns)."""
    n_shoppers, n_campaigns = got.shape
    people = Shopper.objects.bulk_create(
        Shopper(external_id=f"t{n}", marketing="given", country="GB") for n in range(n_shoppers)
    )
    now = timezone.now()
    for number in range(n_campaigns):
        campaign = draft_about(inbox, KINDS[number % 2], name=f"Sent {number}", state=Campaign.State.FINISHED)
        at = now - timedelta(days=3 * (n_campaigns - number))
        Message.objects.bulk_create(
            message(campaign, people[n], at, clicked=clicked[n, number]) for n in np.flatnonzero(got[:, number])
        )
    return people


def message(campaign, shopper, at, *, clicked, opened=False, machine=False):
    then = at + timedelta(hours=1)
    return Message(
        campaign=campaign, shopper=shopper, state=Message.State.SENT, arm="A", probability=1, draw=0.5, due_at=at,
        sent_at=at, delivered_at=at, opened_at=then if clicked or opened else None,
        clicked_at=then if clicked else None, machine_opened_at=then if machine else None,
    )  # fmt: skip


def draft_about(inbox, kind, *, name="Draft", **fields):
    campaign = Campaign.objects.create(name=name, sender=inbox, control_share=0.0, **fields)
    Variant.objects.create(campaign=campaign, subject=f"New {kind} are here", mjml="<mjml></mjml>")
    return campaign
