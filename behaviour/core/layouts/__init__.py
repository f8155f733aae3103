"""The exports that are recognised without a question. Each module describes one family."""

from collections.abc import Sequence

from behaviour.core.layouts import feeds, magento, profiles, shopify, woocommerce
from behaviour.core.layouts.base import Layout

LAYOUTS: tuple[Layout, ...] = (
    *shopify.LAYOUTS, *woocommerce.LAYOUTS, *magento.LAYOUTS, *feeds.LAYOUTS, *profiles.LAYOUTS,
)  # fmt: skip
BY_NAME = {layout.name: layout for layout in (*LAYOUTS, feeds.RATINGS)}


def find(header: Sequence[str], file: str = "") -> Layout | None:
    """Return the layout of a header in a file of this name, None for one that nobody knows."""
    return next((layout for layout in LAYOUTS if layout.fits(header, file)), None)
