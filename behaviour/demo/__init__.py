"""The demo shop: a real year of orders with invented people. docs/demo.md tells what is real in it."""

from behaviour.demo.loading import Loaded, load_demo_shop
from behaviour.demo.removal import has_demo, remove_demo_shop

__all__ = ["Loaded", "has_demo", "load_demo_shop", "remove_demo_shop"]
