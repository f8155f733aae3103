"""What belongs to a person and moves with her when two shoppers turn out to be one, and back again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import connection
from django.db.models import OuterRef, Subquery, UniqueConstraint

from behaviour.models import Event, Identity, Merge, Shopper, ShopperChange

CHUNK = 500
EVENTS = Event._meta.label
SHOPPERS = Shopper._meta.label
PLAIN = ("country", "locale", "timezone")
PUBLISHED = ShopperChange.objects.exclude(upload__published_at=None)
# Label of a model -> ids of its rows; events, of which there are many, as ranges.
Moved = dict[str, Any]


def as_ranges(ids: Iterable[int]) -> list[list[int]]:
    """Write rising ids as [first, last] of each run."""
    ranges: list[list[int]] = []
    for pk in ids:
        if ranges and pk == ranges[-1][1] + 1:
            ranges[-1][1] = pk
        else:
            ranges.append([pk, pk])
    return ranges


def ids_in(moved: Moved, label: str) -> list[int]:
    """Return the ids of the rows of one model that moved."""
    if label == EVENTS:
        return [pk for first, last in moved.get(EVENTS, []) for pk in range(first, last + 1)]
    return list(moved.get(label, []))


def keys_to_shopper() -> list[Any]:
    """Return the relations of all that points at a shopper, in whatever app, hidden ones (``related_name="+"``) too."""
    found = Shopper._meta.get_fields(include_hidden=True)
    return [one for one in found if one.auto_created and not one.concrete and (one.one_to_many or one.one_to_one)]


def fields_to_shopper() -> list[tuple[Any, str]]:
    """Return (model, field) of all that belongs to a person, in whatever app; events first, flattened names second.

    What is one to one is computed (a profile) or has rules of its own (an identity); a merge tells of both.
    """
    others = [
        (one.related_model, one.field.name)
        for one in keys_to_shopper()
        if not one.one_to_one and one.related_model not in (Event, Merge, Shopper)
    ]
    return [(Event, "shopper"), (Shopper, "merged_into"), *others]


def forward(kept_of: dict[int, int]) -> dict[int, Moved]:
    """Move the rows of joined shoppers, whose ``merged_into`` is set, to the kept ones; return what moved of whom.

    A row that the kept shopper has already, as the message of a campaign, stays where it is.
    """
    moved: dict[int, Moved] = {joined: {} for joined in kept_of}
    for model, name in fields_to_shopper():
        rows = _movable(model, name, kept_of)
        found: dict[int, list[int]] = defaultdict(list)
        for pk, joined in rows:
            found[joined].append(pk)
        for joined, ids in found.items():
            moved[joined][model._meta.label] = as_ranges(ids) if model is Event else ids
        follow(model, name, [pk for pk, _joined in rows])
    for relation in keys_to_shopper():
        if relation.one_to_one and relation.related_model is not Identity:
            relation.related_model._base_manager.filter(shopper_id__in=list(kept_of)).delete()
    return moved


def _movable(model: Any, name: str, kept_of: dict[int, int]) -> list[tuple[int, int]]:
    """Return (id, joined shopper) of the rows that break no unique constraint at their new place."""
    rows = _manager(model).order_by("pk")
    sets = _unique_with(model, name)
    if not sets:
        return list(rows.filter(**{f"{name}_id__in": list(kept_of)}).values_list("pk", f"{name}_id"))
    columns = sorted({column for one in sets for column in one})
    people = {*kept_of, *kept_of.values()}
    taken, candidates = set(), []
    for pk, shopper, *values in rows.filter(**{f"{name}_id__in": people}).values_list("pk", f"{name}_id", *columns):
        row = dict(zip(columns, values, strict=True))
        keys = {(kept_of.get(shopper, shopper), *(row[column] for column in one)) for one in sets}
        if shopper in kept_of:
            candidates.append((pk, shopper, keys))
        else:
            taken |= keys
    movable = []
    for pk, shopper, keys in candidates:
        if not keys & taken:
            taken |= keys
            movable.append((pk, shopper))
    return movable


def _unique_with(model: Any, name: str) -> list[tuple[str, ...]]:
    """Return the other columns of each unique constraint in which the field takes part."""
    sets = [one.fields for one in model._meta.constraints if isinstance(one, UniqueConstraint)]
    return [tuple(column for column in one if column != name) for one in sets if name in one]


def follow(model: Any, name: str, ids: Sequence[int]) -> None:
    """Let rows of joined shoppers point at the kept ones."""
    kept = Shopper.everything.filter(pk=OuterRef(f"{name}_id")).values("merged_into_id")[:1]
    for part in in_parts(ids):
        _manager(model).filter(pk__in=part).update(**{f"{name}_id": Subquery(kept)})


def back(merges: Sequence[Merge], here: dict[int, int]) -> None:
    """Give the rows of these merges, the newest first, back to the joined shoppers.

    ``here`` says at whom the rows of each merge are then. What went elsewhere meanwhile is left alone.
    """
    for model, name in fields_to_shopper():
        wanted = {pk for merge in merges for pk in ids_in(merge.moved, model._meta.label)}
        now_at = _read(_manager(model), f"{name}_id", wanted)
        before = dict(now_at)
        published = _read(PUBLISHED, "upload__published_at", wanted) if model is ShopperChange else {}
        for merge in merges:
            for pk in ids_in(merge.moved, model._meta.label):
                # What a file changed since stays with whom it was changed of.
                since = pk in published and published[pk] > merge.at
                if now_at.get(pk) == here[merge.pk] and not since:
                    now_at[pk] = merge.joined_id
        write(model, [name], [(at, pk) for pk, at in now_at.items() if before[pk] != at])


def _read(rows: Any, column: str, ids: Iterable[int]) -> dict[int, Any]:
    """Return id -> value of a column, of these rows."""
    found: dict[int, Any] = {}
    for part in in_parts(sorted(ids)):
        found |= dict(rows.filter(pk__in=part).values_list("pk", column))
    return found


def without(outer: Moved, inner: Moved, joined_id: int) -> Moved:
    """Return what a later merge of the kept shopper moved, less what leaves her again with an earlier one."""
    left = dict(outer)
    for model, _name in fields_to_shopper():
        label = model._meta.label
        gone = set(ids_in(inner, label)) | ({joined_id} if label == SHOPPERS else set())
        rest = [pk for pk in ids_in(outer, label) if pk not in gone]
        left[label] = as_ranges(rest) if label == EVENTS else rest
    left["identity"] = [field for field in outer.get("identity", []) if field not in inner.get("identity", [])]
    return left


def write(model: Any, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Set these fields of many rows, given as (value, …, id): numbers and texts. bulk_update() is much slower."""
    quote = connection.ops.quote_name
    columns = ", ".join(f"{quote(model._meta.get_field(name).column)} = %s" for name in names)
    table, key = quote(model._meta.db_table), quote(model._meta.pk.column)
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(f"UPDATE {table} SET {columns} WHERE {key} = %s", rows)  # noqa: S608 names of our models


def in_parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut a list into pieces that fit a statement."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def _manager(model: Any) -> Any:
    return getattr(model, "everything", model._base_manager)
