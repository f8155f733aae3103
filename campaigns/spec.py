"""A campaign from a specification (docs/campaign-spec.schema.json): the composer's fields for scripts."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from behaviour.models import Shopper
from campaigns import content, planning, wishes
from campaigns.models import Campaign, Sender, Variant
from mailai.accounts import audit
from mailai.errors import InputError
from mailai.moments import moment_in
from mailai.texts import storable
from segments import rules
from segments.models import Segment

KEYS = {"name", "segment", "rule", "variants", "sender", "control_share", "send_at", "picks"}
PICK_KEYS: dict[str, Any] = {
    "repeats": bool, "categories": list, "not_categories": list, "lowest_price": (int, float, str),
    "highest_price": (int, float, str), "per_category": int, "rest_mails": int, "exploration": (int, float),
}  # fmt: skip
VARIANT_KEYS = {"subject", "preheader", "mjml", "template", "share"}
MAX_VARIANTS = 3
LABELS = "ABC"


@transaction.atomic
def create_campaign(spec: Any, *, by: Any = None) -> Campaign:
    """Make a draft; with ``send_at`` it is scheduled too.

    Raises
    ------
    InputError : the first thing that is wrong, with what to do.
    """
    if not isinstance(spec, dict):
        raise InputError(_("The specification must be one JSON object."))
    _refuse_unknown(spec, KEYS)
    # The segment, or what the rule names, is not deleted before the campaign is there.
    rules.turns.wait()
    campaign = Campaign.objects.create(
        name=_text(spec, "name"),
        segment=_segment(spec),
        rule=rules.check(spec["rule"]) if "rule" in spec else None,
        sender=_sender(spec),
        control_share=_share(spec, "control_share", 0.1),
        filters=_picks(spec.get("picks", {})),
        demo=Shopper.objects.filter(demo=True).exists(),
        created_by=by,
    )
    variants = spec.get("variants")
    if not isinstance(variants, list) or not 1 <= len(variants) <= MAX_VARIANTS:
        raise InputError(_("“variants” must be a list of one to three emails."))
    for label, variant in zip(LABELS, variants, strict=False):
        _variant(campaign, label, variant, len(variants))
    audit.record("campaign.create", campaign, by=by)
    if spec.get("send_at") is not None:
        planning.schedule(campaign, send_at=_moment(spec["send_at"]), by=by)
    else:
        _refuse_faults(campaign)
    return campaign


def _refuse_faults(campaign: Campaign) -> None:
    for variant in campaign.variants.all():
        faults = [problem.text for problem in content.problems_of(variant) if problem.blocks]
        if faults:
            raise InputError(faults[0])


def _refuse_unknown(given: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise InputError(
            _("Unknown field “%(name)s”. Known are: %(known)s.")
            % {"name": unknown[0], "known": ", ".join(sorted(known))}
        )


def _text(given: dict[str, Any], key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > 120 or not storable(value):
        raise InputError(_("“%(name)s” must be a text of 1 to 120 characters.") % {"name": key})
    return value.strip()


def _share(given: dict[str, Any], key: str, default: float) -> float:
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise InputError(_("“%(name)s” must be a number from 0 to below 1, such as 0.1.") % {"name": key})
    return float(value)


def _named(rows: Any, name: Any) -> Any:
    """Return the first row of that name; what is no text that a database can hold names nothing."""
    return rows.filter(name=name).first() if isinstance(name, str) and storable(name) else None


def _segment(spec: dict[str, Any]) -> Segment | None:
    if ("segment" in spec) == ("rule" in spec):
        raise InputError(_("Give either “segment” (its name) or “rule”."))
    if "rule" in spec:
        return None
    segment = _named(Segment.objects.all(), spec["segment"])
    if segment is None:
        raise InputError(_("There is no segment “%(name)s”.") % {"name": spec["segment"]})
    return segment


def _sender(spec: dict[str, Any]) -> Sender:
    senders = Sender.objects.all()
    sender = _named(senders, spec["sender"]) if "sender" in spec else senders.filter(is_default=True).first()
    if sender is None:
        raise InputError(_("There is no such sender. Connect one under Admin, Sending, and give its name as “sender”."))
    return sender


def _variant(campaign: Campaign, label: str, given: Any, n_variants: int) -> None:
    if not isinstance(given, dict):
        raise InputError(_("Each of “variants” must be an object."))
    _refuse_unknown(given, VARIANT_KEYS)
    starters = {starter.key: starter for starter in content.STARTERS}
    if ("mjml" in given) == ("template" in given):
        raise InputError(_("Give each variant either “mjml” or “template”."))
    if "template" in given and str(given["template"]) not in starters:
        known = {"name": given["template"], "known": ", ".join(starters)}
        raise InputError(_("There is no template “%(name)s”. Known are: %(known)s.") % known)
    mjml = str(given["mjml"]) if "mjml" in given else starters[str(given["template"])].mjml
    preheader = str(given.get("preheader", ""))[:300]
    if not storable(mjml + preheader):
        raise InputError(_("A variant contains a character that no mail can carry (NUL or half a character)."))
    share = _share(given, "share", 1 / n_variants) if n_variants > 1 else 1.0
    if not share:
        raise InputError(_("“share” of a variant must be above 0. Leave the variant out if nobody should get it."))
    Variant.objects.create(
        campaign=campaign, label=label, subject=_text(given, "subject"),
        preheader=preheader, mjml=mjml, template=str(given.get("template", "")), share=share,
    )  # fmt: skip


def _picks(given: Any) -> dict[str, Any]:
    """Return the wishes for the picks as the campaign keeps them."""
    if not isinstance(given, dict):
        raise InputError(_("“picks” must be an object."))
    _refuse_unknown(given, set(PICK_KEYS))
    for name, value in given.items():
        texts = isinstance(value, list) and all(isinstance(one, str) and storable(one) for one in value)
        number = isinstance(value, bool) and PICK_KEYS[name] is not bool
        if number or not isinstance(value, PICK_KEYS[name]) or (isinstance(value, list) and not texts):
            raise InputError(_("“%(name)s” of “picks” has the wrong kind of value.") % {"name": name})
    return wishes.kept(given)


def _moment(value: Any) -> datetime:
    moment = moment_in(value) if isinstance(value, str) else None
    if moment is None:
        text = _("“send_at” must be a time from 1970 to 2100 with its zone, such as 2026-05-01T09:00:00+01:00.")
        raise InputError(text)
    return moment
