"""What a shopper would find in a mail that left now, each product with the reason it was chosen."""

from typing import Any

from behaviour.catalogue_pages import picture_url
from behaviour.models import Product, Shop, Shopper
from mailai.ui.numbers import price
from recommender.reasons import reason_texts
from recommender.services import top_products

N_PICKS = 5


def picks_for(shopper: Shopper, shop: Shop) -> list[dict[str, Any]]:
    """Return the shopper's picks for components/product_tile.html, best first."""
    picks = top_products([shopper.pk], N_PICKS)[shopper.pk]
    products = Product.objects.in_bulk([pick.product_id for pick in picks])
    return [
        _tile(products[pick.product_id], reason, shop)
        for pick, reason in zip(picks, reason_texts(picks), strict=True)
        if pick.product_id in products
    ]


def _tile(product: Product, reason: str, shop: Shop) -> dict[str, Any]:
    return {
        "name": product.name or product.sku,
        "image": picture_url(product),
        "price": price(product.price, shop.currency),
        "because": reason,
    }
