"""What is looked at before a campaign may leave, and how far its draft is."""

from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from behaviour import identity
from behaviour.catalogue import sellable
from behaviour.models import Shop, Shopper
from campaigns import content, planning, wishes
from campaigns.core import language
from campaigns.models import Campaign, Sender, Variant
from recommender.boards import label_of
from recommender.services import champion
from segments.models import Profile

Check = dict[str, Any]


def content_faults(campaign: Campaign) -> list[content.Problem]:
    """Return what keeps the content from being rendered; subjects are looked at elsewhere."""
    variant = campaign.variants.first()
    if variant is None:
        return []
    found = content.problems_of(Variant(subject="-", mjml=variant.mjml))
    return [problem for problem in found if problem.blocks]


def done_steps(campaign: Campaign) -> set[str]:
    """Return the steps of a draft that have what they need."""
    if not campaign.pk:
        return set()
    variants, done = list(campaign.variants.all()), {"audience"}
    if variants and variants[0].mjml:
        done.add("content")
    if variants and all(variant.subject for variant in variants):
        done.add("subject")
    if campaign.sender_id and "subject" in done:
        done.add("timing")
    return done


def next_step(campaign: Campaign) -> str:
    """Return the first step of a draft that lacks something; the review when none does."""
    done = done_steps(campaign)
    return next((step for step in ("audience", "content", "subject", "timing") if step not in done), "review")


def n_picks(variant: Variant) -> int:
    """Return how many products each shopper is recommended, also while the content is broken."""
    return language.n_picks({match[1] for match in language.FIELD.finditer(content.expand(variant.mjml))})


def inbox_line(variant: Variant, shopper: Shopper) -> tuple[str, str]:
    """Return subject and preview text as this shopper sees them."""
    person = identity.identities_of([shopper.pk]).get(shopper.pk)
    favourite = Profile.objects.filter(shopper=shopper).values_list("favourite_category", flat=True).first() or ""
    values = {
        "first_name": person.first_name if person else "",
        "last_name": person.last_name if person else "",
        "favourite_category": favourite.split(" > ")[-1],
        "shop_name": Shop.current().name,
    }
    subject, preheader = (language.parts_of_text(text) for text in (variant.subject, variant.preheader))
    return language.fill(subject, values), language.fill(preheader, values)


def review(campaign: Campaign, fall: planning.Fall) -> list[Check]:
    """Return every check with its outcome; "bad" blocks, "warn" does not."""
    variants = list(campaign.variants.all())
    rows = [_recipients(campaign, fall), _consent(fall), _address(), _sender(campaign)]
    if is_late(campaign):
        rows.append(_row("bad", late_text(), step="timing", campaign=campaign))
    if not variants:
        rows.append(_row("bad", _("The email has no content yet"), step="content", campaign=campaign))
    rows += [row for variant in variants for row in _problems(campaign, variant)]
    if not any(row["state"] == "bad" for row in rows):
        rows += _content(campaign, variants)
    return rows


def is_late(campaign: Campaign) -> bool:
    """Say whether the time that was chosen passed before the campaign was released."""
    return campaign.send_at is not None and campaign.send_at <= timezone.now()


def late_text() -> str:
    """Say what to do then."""
    return _("The time you chose has passed. Choose a later one, or send as soon as you release it.")


def _row(state: str, text: str, detail: str = "", step: str = "", campaign: Campaign | None = None) -> Check:
    url = reverse(f"campaigns:{step}", args=[campaign.uuid]) if step and campaign else ""
    return {"state": state, "text": text, "detail": detail, "action_url": url, "action": _("Fix it") if url else ""}


def _recipients(campaign: Campaign, fall: planning.Fall) -> Check:
    if fall.recipients:
        text = ngettext("%(n)s shopper will get it", "%(n)s shoppers will get it", fall.recipients)
        return _row("ok", text % {"n": f"{fall.recipients:,}"})
    detail = _("Look at the reasons on the step “Audience” and widen it.")
    return _row("bad", _("Nobody would get this email"), detail, "audience", campaign)


def _consent(fall: planning.Fall) -> Check:
    left_out = sum(fall.excluded.values())
    text = ngettext(
        "Consent on record for every recipient; %(n)s without is left out",
        "Consent on record for every recipient; %(n)s others are left out",
        left_out,
    )
    return _row("ok", text % {"n": f"{left_out:,}"})


def _address() -> Check:
    if Shop.current().postal_address.strip():
        return _row("ok", _("Postal address and unsubscribe link in the footer, one-click header present"))
    check = _row("bad", _("The footer has no postal address"), _("The law asks for it. An admin writes it once."))
    return check | {"action_url": reverse("behaviour:shop"), "action": _("Shop settings")}


def _sender(campaign: Campaign) -> Check:
    sender = campaign.sender
    if sender is None:
        return _row("bad", _("No sender is chosen"), _("Choose one on the step “Timing”."), "timing", campaign)
    if sender.last_error:
        return _row("warn", _("The sender had a problem lately"), sender.last_error, "timing", campaign)
    if sender.kind == Sender.Kind.DEMO_INBOX:
        return _row("ok", _("Goes to the demo inbox, nobody outside gets it"))
    return _row("ok", _("Leaves by %(name)s") % {"name": sender.name})


def _problems(campaign: Campaign, variant: Variant) -> list[Check]:
    step = "content" if variant.subject.strip() else "subject"
    found = content.problems_of(variant)
    return [_row("bad" if p.blocks else "warn", p.text, step=step, campaign=campaign) for p in found]


def _content(campaign: Campaign, variants: list[Variant]) -> list[Check]:
    compiled, links = content.compile_variant(variants[0], "https://shop.example")
    html = language.fill(compiled["html"], {})
    rows = [
        _row("ok", _("%(size)s KB, below the 102 KB Gmail limit") % {"size": max(1, len(html) // 1000)}),
        _row("ok", ngettext("%(n)s link is tracked", "%(n)s links are tracked", len(links)) % {"n": len(links)}),
        _fallbacks(campaign, variants),
    ]
    if compiled["n_picks"]:
        rows.append(_picks(campaign, compiled["n_picks"]))
    pictures = html.count("<img") - 1
    described = html.count('alt="') - html.count('alt=""')
    if pictures > described + compiled["n_picks"]:
        text = _("A picture has no description")
        detail = _('Shoppers who block pictures or use a screen reader see nothing there. Add alt="…".')
        rows.append(_row("warn", text, detail, "content", campaign))
    return rows


def _fallbacks(campaign: Campaign, variants: list[Variant]) -> Check:
    bare = set()
    for variant in variants:
        compiled, _links = content.compile_variant(variant, "https://shop.example")
        for part in ("subject", "preheader", "html"):
            bare |= {p[0] for p in compiled[part] if not isinstance(p, str) and not p[1]} & set(content.SHOPPER_FIELDS)
    if not bare:
        return _row("ok", _("Every field about the shopper has a fallback"))
    text = _("Some fields have no fallback: %(names)s") % {"names": ", ".join(sorted(bare))}
    detail = _("Shoppers without a value see a gap. Write for example {{ first_name|there }}.")
    return _row("warn", text, detail, "content", campaign)


def _picks(campaign: Campaign, n: int) -> Check:
    run = champion()
    found = wishes.fitting(wishes.filters_of(campaign))
    n_products = found.n_products
    if found.n_slots < n <= sellable().count():
        detail = _("Widen what the picks may be, on the step “Content”.")
        return _row("bad", _("Too few products fit what the picks may be"), detail, "content", campaign)
    if n_products < n:
        detail = _("Picks need products that are active, in stock and have a picture. Upload your products.")
        return _row("bad", _("There are too few products to recommend"), detail)
    model = label_of(run) if run else _("most popular products")
    words = {"n": n, "model": model, "products": f"{n_products:,}"}
    return _row("ok", _("%(n)s picks per shopper by “%(model)s”, from %(products)s products in stock") % words)
