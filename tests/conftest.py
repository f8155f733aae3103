"""The people and things that tests need."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from django.conf import settings as configured
from django.core.cache import cache
from django.test import Client, TransactionTestCase
from django.utils import translation

from behaviour import identity
from behaviour.models import Event, Product, Shop, Shopper
from mailai.accounts.models import User
from tests.browser import browser_type_launch_args, visit  # noqa: F401 fixtures of the browser tests

# A busy machine is no fault of the code: examples are judged by what they show, not by how long they take.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

# Tests of processes ask for no fixture of a database: they take the name of its server from the settings.
OWN_DATABASE = {"place"}
DATABASE = {"db", "transactional_db", "django_db_setup", "live_server"} | OWN_DATABASE


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL leave out what never asks the database, or SQLite alone: the run there has shown it already."""
    if "postgresql" not in configured.DATABASES["default"]["ENGINE"]:
        return
    away = [item for item in items if not _asks_this_database(item)]
    config.hook.pytest_deselected(items=away)
    items[:] = [item for item in items if item not in set(away)]


def _asks_this_database(item: Any) -> bool:
    case = getattr(item, "cls", None)
    if item.get_closest_marker("sqlite"):
        return False
    own = case is not None and issubclass(case, TransactionTestCase)
    return own or item.get_closest_marker("django_db") is not None or not DATABASE.isdisjoint(item.fixturenames)


@pytest.fixture(autouse=True)
def _plain_world(settings: Any, tmp_path: Path) -> None:
    """Files of a test go to its own folder; no cache is shared, no language is left over from another test."""
    translation.activate(settings.LANGUAGE_CODE)
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.MAILAI_DATA_DIR = tmp_path
    memory = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {name: {"BACKEND": memory, "LOCATION": str(uuid4())} for name in ("default", "memory")}
    cache.clear()


def _user(email: str, **roles: bool) -> Any:
    return User.objects.create_user(email, "a long enough password", name=email.split("@")[0].title(), **roles)


@pytest.fixture
def admin(db: None) -> Any:
    return _user("admin@shop.example", is_admin=True)


@pytest.fixture
def marketer(db: None) -> Any:
    return _user("marketer@shop.example", is_marketer=True)


@pytest.fixture
def manager(db: None) -> Any:
    return _user("manager@shop.example", is_manager=True)


@pytest.fixture
def stranger(db: None) -> Any:
    return _user("stranger@shop.example")


@pytest.fixture
def client_for() -> Any:
    def make(user: Any) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def shop(db: None) -> Any:
    shop = Shop.current()
    shop.name, shop.postal_address = "Northlane", "1 Test Street, London"
    shop.save()
    return shop


@pytest.fixture
def make_shopper(db: None) -> Any:
    """Make a shopper; with ``email`` she has an identity, and consent unless told otherwise."""

    def make(email: str = "", *, marketing: str = "", first_name: str = "", **fields: Any) -> Any:
        fields.setdefault("external_id", uuid4().hex)
        shopper = Shopper.objects.create(marketing=marketing or ("given" if email else "unknown"), **fields)
        if email:
            identity.save_identities([{"shopper_id": shopper.pk, "email": email, "first_name": first_name}])
        return shopper

    return make


@pytest.fixture
def make_product(db: None) -> Any:
    def make(**fields: Any) -> Any:
        fields.setdefault("sku", uuid4().hex[:8])
        fields.setdefault("name", f"Product {fields['sku']}")
        fields.setdefault("price", Decimal("9.99"))
        fields.setdefault("image", "products/a.png")
        return Product.objects.create(**fields)

    return make


@pytest.fixture
def make_event(db: None) -> Any:
    def make(shopper: Any, kind: str = "purchase", *, at: datetime | None = None, **fields: Any) -> Any:
        fields.setdefault("dedupe_key", uuid4())
        return Event.objects.create(shopper=shopper, kind=kind, at=at or datetime.now(UTC), **fields)

    return make
