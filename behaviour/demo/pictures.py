"""A picture for every product: an icon that fits its name on a coloured ground, as PNG (mail programs show no SVG)."""

from hashlib import sha256

import resvg_py
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from mailai.ui.icons import drawing

FOLDER = "products/demo"
SIDE = 480
# Ground, lighter disc and line of each colour.
COLOURS = {
    "rose": ("#fbd9dc", "#fdeef0", "#a3293a"),
    "pink": ("#f9d8e8", "#fdeef5", "#9d2463"),
    "blue": ("#d3e4fb", "#ebf3fe", "#1f4f94"),
    "cyan": ("#cdeef0", "#e8f9f9", "#12666e"),
    "green": ("#cfeedd", "#e9f9f0", "#14663f"),
    "lime": ("#e2efc6", "#f3f9e5", "#4b6410"),
    "yellow": ("#fbecbd", "#fef8e3", "#7d5a06"),
    "orange": ("#fbdfc4", "#fef2e6", "#92440c"),
    "violet": ("#e4dbfa", "#f3eefe", "#5a35a6"),
    "indigo": ("#dadffa", "#eef0fe", "#3a45a5"),
    "slate": ("#dbe1e8", "#eff2f5", "#33414f"),
    "sand": ("#f0e6d6", "#faf5ec", "#6b5335"),
    "brown": ("#e9d8cb", "#f6ede6", "#68412a"),
}


def store_picture(icon: str, ground: str) -> str:
    """Draw and store the picture unless it is there, and return its path below the storage.

    The name is a hash of the drawing, so thousands of products share some hundred files.
    """
    svg = compose(icon, ground)
    path = f"{FOLDER}/{sha256(svg.encode()).hexdigest()[:16]}.png"
    if not default_storage.exists(path):
        default_storage.save(path, ContentFile(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE)))
    return path


def compose(icon: str, ground: str) -> str:
    """Return the picture as SVG."""
    back, disc, line = COLOURS[ground]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" width="{SIDE}" height="{SIDE}">'
        f'<rect width="48" height="48" fill="{back}"/><circle cx="24" cy="24" r="17" fill="{disc}"/>'
        f'<g transform="translate(12 12)" fill="none" stroke="{line}" stroke-width="1.5" stroke-linecap="round" '
        f'stroke-linejoin="round">{drawing(icon)}</g></svg>'
    )


def remove_pictures() -> int:
    """Delete all pictures of the demo shop and return how many there were."""
    if not default_storage.exists(FOLDER):
        return 0
    names = default_storage.listdir(FOLDER)[1]
    for name in names:
        default_storage.delete(f"{FOLDER}/{name}")
    return len(names)
