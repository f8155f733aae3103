"""The one room with personal data: stored encrypted, found by blind index, read in batches."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models.functions import Coalesce
from django.utils.timezone import now

from behaviour.models import Identity, Shopper
from mailai import crypto
from mailai.errors import InputError

BATCH = 1000


def save_identities(rows: list[dict[str, Any]]) -> None:
    """Store many identities: dicts with ``shopper_id`` and any of Identity.ENCRYPTED, in short transactions.

    Costs about 40 microseconds of encryption a row; a million rows are under a minute of CPU plus the insert.

    Raises
    ------
    InputError : an address belongs to another shopper.
    """
    for start in range(0, len(rows), BATCH):
        _save_batch(rows[start : start + BATCH])


@transaction.atomic
def _save_batch(rows: list[dict[str, Any]]) -> None:
    known = {row.shopper_id: row for row in Identity.objects.filter(shopper_id__in=[row["shopper_id"] for row in rows])}
    _refuse_taken_addresses(rows)
    new: list[Identity] = []
    changed: list[Identity] = []
    for row in rows:
        identity = known.get(row["shopper_id"])
        (changed if identity else new).append(_fill(identity or Identity(shopper_id=row["shopper_id"]), row))
    Identity.objects.bulk_create(new)
    _rewrite(changed)


def _rewrite(rows: list[Identity]) -> None:
    """Write existing rows back; bulk_update() would pass by the encryption, an upsert on the id does not."""
    fields = [*Identity.ENCRYPTED, "email_index", "email_domain", "key_id", "written_at"]
    Identity.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=fields)


def _refuse_taken_addresses(rows: list[dict[str, Any]]) -> None:
    owners = {crypto.blind_index(row["email"]): row["shopper_id"] for row in rows if row.get("email")}
    taken = Identity.objects.filter(email_index__in=owners).values_list("email_index", "shopper_id")
    if any(owners[index or ""] != shopper_id for index, shopper_id in taken):
        raise InputError(
            "This email address belongs to another shopper already. Merge the two on her page, or correct it."
        )


def _fill(identity: Identity, row: dict[str, Any]) -> Identity:
    for field in Identity.ENCRYPTED:
        # Every field is written again, so that the whole row is under the newest key.
        setattr(identity, field, str(row[field]).strip() if field in row else getattr(identity, field))
    if identity.email:
        identity.email_index = crypto.blind_index(identity.email)
        identity.email_domain = crypto.normal_email(identity.email).rpartition("@")[2]
    else:
        identity.email_index, identity.email_domain = None, ""
    identity.key_id, identity.written_at = crypto.newest_key_id(), now()
    return identity


def find_by_email(address: str) -> Shopper | None:
    """Return the shopper with exactly this address; one indexed look-up, nothing is decrypted."""
    return Shopper.objects.filter(identity__email_index=crypto.blind_index(address)).first()


def identities_of(shopper_ids: Iterable[int]) -> dict[int, Identity]:
    """Return shopper id -> identity in one query; fields are decrypted when they are read."""
    return {row.shopper_id: row for row in Identity.objects.filter(shopper_id__in=list(shopper_ids))}


def shopper_ids(names: Iterable[str]) -> dict[str, int]:
    """Return external id -> shopper id of those that exist; who was merged into another is that other one."""
    found: dict[str, int] = {}
    listed = list(dict.fromkeys(names))
    for start in range(0, len(listed), BATCH):
        rows = Shopper.everything.filter(external_id__in=listed[start : start + BATCH])
        found |= dict(rows.values_list("external_id", Coalesce("merged_into_id", "pk")))
    return found


def ids_by_pseudonym(pseudonyms: Iterable[str]) -> dict[str, int]:
    """Return pseudonym -> shopper id of those that exist; who was merged into another is that other one. One query."""
    rows = Shopper.everything.filter(pseudonym__in=set(pseudonyms))
    return dict(rows.values_list("pseudonym", Coalesce("merged_into_id", "pk")))


def kept_ids(shopper_ids: Iterable[int]) -> dict[int, int]:
    """Return id -> id of the person it means today, for those of these ids who were merged into another."""
    rows = Shopper.everything.filter(pk__in=set(shopper_ids), merged_into__isnull=False)
    return dict(rows.values_list("pk", "merged_into_id"))


def hand_over(moves: Sequence[tuple[int, int, Sequence[str]]]) -> list[list[str]]:
    """Move fields (giver, taker, fields) that the giver has and the taker lacks, one after the other.

    Returns the fields that went, move by move. A row that holds nothing any more is deleted.
    """
    rows = identities_of({pk for giver, taker, _fields in moves for pk in (giver, taker)})
    given, touched = [], set()
    for giver, taker, fields in moves:
        source, target = rows.get(giver), rows.setdefault(taker, Identity(shopper_id=taker))
        went = [name for name in fields if source and getattr(source, name) and not getattr(target, name)]
        for name in went:
            setattr(target, name, getattr(source, name))
            setattr(source, name, "")
        touched |= {giver, taker} if went else set()
        given.append(went)
    _write_all([_fill(rows[pk], {}) for pk in touched])
    return given


def put_back(rows: dict[int, dict[str, str]]) -> None:
    """Let identities have these fields again, by shopper; an address that is somebody else's today stays there."""
    there = identities_of(rows)
    wanted = {crypto.blind_index(row["email"]): pk for pk, row in rows.items() if row.get("email")}
    owners = Identity.objects.filter(email_index__in=wanted).values_list("email_index", "shopper_id")
    taken = {wanted[str(index)] for index, owner in owners if "email" not in rows.get(owner, ())}
    changed = []
    for pk, row in rows.items():
        said = {name: value for name, value in row.items() if not (name == "email" and pk in taken)}
        if said:
            changed.append(_fill(there.get(pk) or Identity(shopper_id=pk), said))
    _write_all(changed)


def _write_all(rows: Sequence[Identity]) -> None:
    """Write rows between which an address moved: nobody has it for a moment, so that it stays unique."""
    there = [row for row in rows if row.pk]
    full = {id(row) for row in rows if any(getattr(row, name) for name in Identity.ENCRYPTED)}
    Identity.objects.filter(pk__in=[row.pk for row in there]).update(email_index=None)
    Identity.objects.filter(pk__in=[row.pk for row in there if id(row) not in full]).delete()
    kept = [row for row in there if id(row) in full]
    if kept:
        _rewrite(kept)
    Identity.objects.bulk_create([row for row in rows if not row.pk and id(row) in full])


def rotate(batch: int = BATCH) -> int:
    """Write one batch of rows under the newest key and return how many; 0 when none is left.

    Each batch is a transaction of its own, so a kill loses nothing and the next call goes on.
    """
    newest = crypto.newest_key_id()
    with transaction.atomic():
        rows = list(Identity.objects.exclude(key_id=newest).order_by("pk")[:batch])
        for row in rows:
            # Nothing is said anew.
            at = row.written_at
            _fill(row, {}).written_at = at
        _rewrite(rows)
    return len(rows)
