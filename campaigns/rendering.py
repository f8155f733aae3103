"""From parts and a shopper to a mail. Personal data are read here, for the batch at hand, and nowhere kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.utils import formataddr
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from anymail.message import AnymailMessage
from django.conf import settings

from behaviour import identity
from behaviour.models import Identity, Product, Shop, Shopper
from campaigns import addresses, content
from campaigns.core import language
from campaigns.models import Campaign, Message, Sender, Variant
from campaigns.wishes import filters_of
from mailai.errors import DeliveryError
from mailai.ui.numbers import price as price_text
from recommender.picks import Pick
from recommender.reasons import reasons_for
from recommender.services import top_products
from segments.models import Profile


@dataclass(frozen=True)
class Rendered:
    """A mail for one shopper."""

    subject: str
    preheader: str
    html: str
    text: str


@dataclass(frozen=True)
class Batch:
    """What the mails of a batch are made of, read in five queries."""

    shop: Shop
    identities: dict[int, Identity]
    categories: dict[int, str]
    products: dict[int, Product]
    reasons: dict[int, list[str]]


def read_batch(shoppers: Sequence[Shopper], picks: dict[int, list[Pick]]) -> Batch:
    """Read what the mails to these shoppers need."""
    ids = [shopper.pk for shopper in shoppers]
    product_ids = {pick.product_id for row in picks.values() for pick in row}
    reasons: dict[int, list[str]] = {}
    for code in {_language(shopper) for shopper in shoppers}:
        group = {shopper.pk: picks.get(shopper.pk, []) for shopper in shoppers if _language(shopper) == code}
        reasons |= reasons_for(group, language=code)
    return Batch(
        shop=Shop.current(),
        identities=identity.identities_of(ids),
        categories=dict(Profile.objects.filter(shopper_id__in=ids).values_list("shopper_id", "favourite_category")),
        products=Product.objects.in_bulk(product_ids),
        reasons=reasons,
    )


def _language(shopper: Shopper) -> str:
    return "zh-hans" if shopper.locale.lower().startswith("zh") else "en"


def render(
    compiled: dict[str, Any], shopper: Shopper, picks: list[Pick], batch: Batch, *, message: UUID | None
) -> Rendered:
    """Fill the parts for one shopper; without ``message`` (a preview) links lead to their targets untracked."""
    values = _values(compiled, shopper, picks, batch, message)
    return Rendered(*(language.fill(compiled[part], values) for part in ("subject", "preheader", "html", "text")))


def _values(
    compiled: dict[str, Any], shopper: Shopper, picks: list[Pick], batch: Batch, message: UUID | None
) -> dict[str, str]:
    person = batch.identities.get(shopper.pk)
    shop = batch.shop
    values = {
        "first_name": person.first_name if person else "",
        "last_name": person.last_name if person else "",
        "favourite_category": batch.categories.get(shopper.pk, "").split(" > ")[-1],
        "shop_name": shop.name,
        "shop_url": shop.url or settings.MAILAI_PUBLIC_URL,
        "postal_address": shop.postal_address,
        "open_url": addresses.open_address(message) if message else "",
        "unsubscribe_url": addresses.unsubscribe_address(message) if message else settings.MAILAI_PUBLIC_URL,
    }
    for slot, pick in enumerate(picks, 1):
        values |= _pick_values(slot, batch.products[pick.product_id], batch, shopper)
    for name in compiled["fields"]:
        if name.startswith("link."):
            number = int(name.removeprefix("link."))
            values[name] = addresses.click_address(message, number) if message else settings.MAILAI_PUBLIC_URL
    return values


def _pick_values(slot: int, product: Product, batch: Batch, shopper: Shopper) -> dict[str, str]:
    reasons = batch.reasons.get(shopper.pk, [])
    price = price_text(product.price, product.currency or batch.shop.currency) if product.price is not None else ""
    return {
        f"pick{slot}.name": product.name or product.sku,
        f"pick{slot}.price": price,
        f"pick{slot}.image": addresses.absolute(product.image),
        f"pick{slot}.url": product.url,
        f"pick{slot}.reason": reasons[slot - 1] if slot <= len(reasons) else "",
    }


def preview(campaign: Campaign, variant: Variant, shopper: Shopper) -> Rendered:
    """Render a draft as this shopper would see it, with picks of this moment."""
    shop = Shop.current()
    compiled, _links = content.compile_variant(variant, shop.url or settings.MAILAI_PUBLIC_URL)
    n = compiled["n_picks"]
    picks = top_products([shopper.pk], n, filters=filters_of(campaign), run=campaign.run) if n else {shopper.pk: []}
    batch = read_batch([shopper], picks)
    return render(compiled, shopper, picks[shopper.pk], batch, message=None)


def email(rendered: Rendered, sender: Sender, to: str, *, message: Message | None = None) -> AnymailMessage:
    """Put a rendered mail into an envelope, with one-click unsubscribe and a Message-ID that stays over retries.

    Raises
    ------
    DeliveryError : the address can't be a mailbox (permanent).
    """
    host = urlsplit(settings.MAILAI_PUBLIC_URL).hostname or "localhost"
    headers = {"Message-ID": f"<{message.uuid if message else uuid4()}@{host}>"}
    metadata = {}
    if message:
        headers["List-Unsubscribe"] = f"<{addresses.unsubscribe_address(message.uuid)}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        metadata = {"message": str(message.uuid)}
    envelope = AnymailMessage(
        subject=_one_line(rendered.subject),
        body=rendered.text,
        from_email=formataddr((_one_line(sender.from_name), sender.from_email)),
        to=[_mailbox(to)],
        reply_to=[sender.reply_to] if sender.reply_to else None,
        headers=headers,
    )
    envelope.metadata = metadata
    envelope.attach_alternative(rendered.html, "text/html")
    envelope.of_message = message
    return envelope


def _one_line(text: str) -> str:
    """Return text that can't begin another header; not every mail backend guards this itself."""
    return language.CONTROL.sub(" ", text).strip()


def _mailbox(address: str) -> str:
    """Return the address if it is exactly one plain mailbox."""
    try:
        found = Address(addr_spec=address)
    except (ValueError, IndexError):
        raise DeliveryError("The address is not valid.", permanent=True) from None
    if not found.domain or not address.isascii() or found.addr_spec != address:
        raise DeliveryError("The address is not valid.", permanent=True)
    return address
