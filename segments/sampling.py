"""A fixed random sample of shoppers, with all that rules ask about, copied into small tables.

A rule is asked of the sample by the very statement that asks it of everybody, with other names of tables. Copies, not
an index: to look up 20,000 shoppers among a million takes longer than to read everything about them in one place.
"""

import logging
import re
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import CharField, Model, QuerySet
from django.db.models.functions import MD5, Cast
from django.utils import timezone

from behaviour.models import Event, Shop, Shopper
from segments import mails
from segments.models import Prediction, Profile, ProfileRefresh, Sample

logger = logging.getLogger(__name__)
SIZE = 20_000
STALE_AFTER = timedelta(hours=1)
IDS = "sample_ids"
SHOPPER_COLUMNS = ("id", "country", "locale", "marketing", "signed_up_at", "upload_id", "merged_into_id")
EVENT_COLUMNS = (
    "id",
    "shopper_id",
    "kind",
    "product_id",
    "at",
    "amount",
    "order_ref",
    "upload_id",
    "question",
    "answer",
)
Copied = tuple[type[Model], str, tuple[str, ...], tuple[str, ...]]


def copied() -> Iterator[Copied]:
    """Give each copied model, its column of the shopper, the columns that are copied, and what to index."""
    yield Shopper, "id", SHOPPER_COLUMNS, ("id",)
    for model in (Profile, Prediction):
        yield model, "shopper_id", tuple(str(one.column) for one in model._meta.concrete_fields), ("shopper_id",)
    yield Event, "shopper_id", EVENT_COLUMNS, ("shopper_id", "kind, at", "kind, product_id, at")
    if (source := mails.table()) is not None:
        yield source[0], "shopper_id", source[1], ("shopper_id",)


def keep_fresh(now: datetime | None = None) -> bool:
    """Draw the sample anew when it is an hour old and profiles moved on, or when a shopper was removed."""
    now, sample = now or timezone.now(), Sample.objects.filter(pk=1).first()
    if sample is not None:
        removed = sample.n_removals != Shop.current().n_removals
        moved = ProfileRefresh.objects.filter(pk=1, refreshed_at__gt=sample.built_at).exists()
        if not removed and not (moved and now - sample.built_at > STALE_AFTER):
            return False
    draw(now)
    return True


def draw(now: datetime | None = None, *, size: int = SIZE) -> Sample:
    """Draw the sample and copy what is known of it. The same shoppers are drawn while none come or go.

    Readers see the old copies until the new ones are complete. Takes about a second for 400,000 events.
    """
    n_removals, n_shoppers = Shop.current().n_removals, Shopper.objects.count()
    sampled = n_shoppers > size
    with transaction.atomic():
        _drop([IDS])
        if sampled:
            _copy_all(size)
        else:
            _drop([sample_table(model) for model, *_rest in copied()])
        figures = {"n_shoppers": n_shoppers, "n_removals": n_removals, "built_at": now or timezone.now()}
        sample, _new = Sample.objects.update_or_create(pk=1, defaults={"n_sampled": size if sampled else 0, **figures})
    logger.info("sample drawn: %s of %s shoppers", sample.n_sampled, n_shoppers)
    return sample


def drawn(size: int) -> "QuerySet[Any]":
    """Return the ids of the sample: the first by a hash of the id, which has nothing to do with what shoppers do."""
    place = MD5(Cast("pk", CharField()))
    return Shopper.objects.order_by(place, "pk").values("pk")[:size]


def sample_table(model: type[Model]) -> str:
    """Return the name of a model's copy."""
    return f"sample_{model._meta.db_table}"


def on_sample(sql: str) -> str:
    """Return a statement that asks the copies instead of everything."""
    names = "|".join(model._meta.db_table for model, *_rest in copied())
    return re.sub(rf'"({names})"', r'"sample_\1"', sql)


def _copy_all(size: int) -> None:
    sql, parameters = drawn(size).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {IDS} (id bigint PRIMARY KEY)")
        cursor.execute(f"INSERT INTO {IDS} {sql}", parameters)
        if connection.vendor == "postgresql":
            cursor.execute(f"ANALYZE {IDS}")
        for one in copied():
            _copy(cursor, *one)
    _drop([IDS])


def _copy(cursor: Any, model: type[Model], key: str, columns: tuple[str, ...], indexed: tuple[str, ...]) -> None:
    table, token = sample_table(model), secrets.token_hex(4)
    fresh, named = f"{table}_{token}", ", ".join(f'"{column}"' for column in columns)
    source = f'SELECT {named} FROM "{model._meta.db_table}" WHERE "{key}" IN (SELECT id FROM {IDS})'  # noqa: S608 our own names
    cursor.execute(f'CREATE TABLE "{fresh}" AS {source}')
    for number, what in enumerate(indexed):
        cursor.execute(f'CREATE INDEX "{fresh}_{number}" ON "{fresh}" ({what})')
    _drop([table])
    cursor.execute(f'ALTER TABLE "{fresh}" RENAME TO "{table}"')
    cursor.execute(f'ANALYZE "{table}"')


def _drop(tables: list[str]) -> None:
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'DROP TABLE IF EXISTS "{table}"')
