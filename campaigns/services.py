"""Writes of the composer: drafts and their parts. A campaign that is on its way is not changed here."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour.models import Shopper
from campaigns.models import Campaign, Sender, Variant
from mailai.accounts import audit
from mailai.errors import InputError, StateError
from segments import rules
from segments.models import Segment

LABELS = "ABC"


@transaction.atomic
def draft_of(campaign: Campaign) -> Campaign:
    """Return the campaign if it can still be changed; in a transaction it stays so, since its row is locked.

    Raises
    ------
    StateError : it is scheduled, running or over.
    """
    row = Campaign.objects.select_for_update().filter(pk=campaign.pk, state=Campaign.State.DRAFT)
    if not row.values_list("pk", flat=True).first():
        raise StateError(_("This campaign is not a draft any more, so it can't be changed."))
    return campaign


@transaction.atomic
def create_draft(*, name: str, segment: Segment | None, control_share: float, by: Any) -> Campaign:
    """Make a draft with the default sender and one empty variant.

    Raises
    ------
    InputError : the segment was deleted meanwhile.
    """
    _keep(segment)
    campaign = Campaign.objects.create(
        name=name,
        segment=segment,
        control_share=control_share,
        sender=Sender.objects.filter(is_default=True).first(),
        demo=Shopper.objects.filter(demo=True).exists(),
        created_by=by,
    )
    Variant.objects.create(campaign=campaign)
    audit.record("campaign.create", campaign, by=by)
    return campaign


@transaction.atomic
def set_audience(campaign: Campaign, *, name: str, segment: Segment | None, control_share: float, by: Any) -> Campaign:
    """Choose who is to get it, and how many are held back.

    Raises
    ------
    StateError : the campaign is scheduled, running or over.
    InputError : the segment was deleted meanwhile.
    """
    _keep(segment)
    draft_of(campaign)
    campaign.name, campaign.segment, campaign.rule, campaign.control_share = name, segment, None, control_share
    campaign.narrowing_to = ""
    _save(campaign, "name", "segment", "rule", "control_share", "narrowing_to")
    audit.record("campaign.audience", campaign, by=by, segment=segment, control_share=control_share)
    return campaign


def _keep(segment: Segment | None) -> None:
    """Make sure that nobody deletes a segment before the campaign that names it is stored."""
    rules.turns.wait()
    if segment and not Segment.objects.filter(pk=segment.pk).exists():
        raise InputError(_("“%(name)s” was deleted meanwhile.") % {"name": segment.name})


@transaction.atomic
def set_content(
    campaign: Campaign, mjml: str, *, template: str = "", filters: dict[str, Any] | None = None, by: Any
) -> None:
    """Store the content, faults and all: a broken draft is still a draft. All subjects share it.

    ``template`` is the ready-made mail that it is, "" = it is edited; ``filters`` is what the picks may be
    (campaigns.wishes.kept), None leaves it as it is.
    """
    values = {"mjml": mjml.replace("\r\n", "\n")} | ({"template": template} if template else {})
    draft_of(campaign).variants.update(**values)
    if filters is not None:
        campaign.filters = filters
    _save(campaign, "filters")
    audit.record("campaign.content", campaign, by=by, characters=len(mjml), picks=campaign.filters)


@transaction.atomic
def set_subjects(campaign: Campaign, rows: list[dict[str, str]], *, by: Any) -> None:
    """Store one to three subjects with their previews; each gets an equal part of the audience.

    Raises
    ------
    InputError : no subject, or more than three.
    """
    draft_of(campaign)
    if not 1 <= len(rows) <= len(LABELS):
        raise InputError(_("Write one to three subjects."))
    first = campaign.variants.first() or Variant()
    for label, row in zip(LABELS, rows, strict=False):
        values = {"subject": row["subject"], "preheader": row["preheader"], "share": 1 / len(rows)}
        values |= {"mjml": first.mjml, "template": first.template}
        Variant.objects.update_or_create(campaign=campaign, label=label, defaults=values)
    campaign.variants.exclude(label__in=LABELS[: len(rows)]).delete()
    _save(campaign)
    audit.record("campaign.subjects", campaign, by=by, n=len(rows))


@transaction.atomic
def set_timing(campaign: Campaign, *, sender: Sender, send_at: datetime | None, by: Any) -> None:
    """Choose the sender and the time; no time = as soon as it is released."""
    draft_of(campaign)
    campaign.sender, campaign.send_at = sender, send_at
    _save(campaign, "sender", "send_at")
    audit.record("campaign.timing", campaign, by=by, send_at=send_at)


@transaction.atomic
def duplicate(campaign: Campaign, *, by: Any) -> Campaign:
    """Make a new draft like this one."""
    copy = create_draft(
        name=_("%(name)s, copy") % {"name": campaign.name[:100]},
        segment=campaign.segment,
        control_share=campaign.control_share,
        by=by,
    )
    copy.variants.all().delete()
    Variant.objects.bulk_create(
        Variant(
            campaign=copy, label=variant.label, subject=variant.subject, preheader=variant.preheader,
            mjml=variant.mjml, template=variant.template, share=variant.share,
        )
        for variant in campaign.variants.all()
    )  # fmt: skip
    copy.sender, copy.filters = campaign.sender, campaign.filters
    # A rule of its own is the audience; where a segment is, the rule is only what the segment was at the time.
    copy.rule = None if campaign.segment else campaign.rule
    _save(copy, "sender", "filters", "rule")
    return copy


@transaction.atomic
def delete_draft(campaign: Campaign, *, by: Any) -> None:
    """Throw a draft away."""
    audit.record("campaign.delete", draft_of(campaign), by=by)
    campaign.delete()


def _save(campaign: Campaign, *fields: str) -> None:
    """Write these fields; why a draft was refused before counts no more."""
    campaign.updated_at, campaign.narrowing_refused = timezone.now(), ""
    campaign.save(update_fields=[*fields, "updated_at", "narrowing_refused"])
