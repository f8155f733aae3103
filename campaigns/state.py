"""Where every message of a campaign stands."""

from typing import Any

from django.db.models import Count

from campaigns.models import Campaign, Message

State = Message.State
MAX_LISTED = 1000


def campaign_state(campaign: Campaign) -> dict[str, Any]:
    """Return the counts per state; control + skipped + queued + sending + sent + failed + in_doubt = planned."""
    messages = Message.objects.filter(campaign=campaign).order_by()
    rows = messages.values_list("state", "skip_reason").annotate(n=Count("pk"))
    counts: dict[str, int] = {}
    skipped: dict[str, int] = {}
    for state, reason, n in rows:
        counts[state] = counts.get(state, 0) + n
        if state == State.SKIPPED:
            skipped[reason] = n
    in_doubt = messages.filter(state=State.IN_DOUBT).order_by("pk").values_list("uuid", flat=True)
    return {
        "state": campaign.state,
        "planned": sum(counts.values()),
        "control": counts.get(State.CONTROL, 0),
        "skipped": skipped,
        "queued": counts.get(State.PLANNED, 0) + counts.get(State.CLAIMED, 0),
        "sending": counts.get(State.SENDING, 0),
        "sent": counts.get(State.SENT, 0),
        "failed": counts.get(State.FAILED, 0),
        "in_doubt": counts.get(State.IN_DOUBT, 0),
        "in_doubt_messages": [str(uuid) for uuid in in_doubt[:MAX_LISTED]],
    }
