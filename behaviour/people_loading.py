"""Rows about people into shoppers, encrypted identities and permission."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import polars as pl

from behaviour import bulk, consent, identity
from behaviour.core.cleaning import Cleaned
from behaviour.loading import shopper_rows
from behaviour.models import Consent, ConsentState, Identity, Shopper, Upload
from behaviour.names import Names
from behaviour.pseudonyms import BY_EMAIL, names_of
from mailai.crypto import blind_index

PERSONAL = ("email", "first_name", "last_name", "phone")
PLAIN = ("country", "locale")


class ShopperLoader:
    """Loads shoppers; an empty cell changes nothing, an unchanged row counts as known."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._names = Names(Shopper, lambda names: bulk.insert_frame(Shopper, shopper_rows(names, upload.pk)))
        self.n_withdrawals_kept = 0

    def observe(self, cleaned: Cleaned) -> None:
        """Nothing has to be remembered."""

    def parts(self, cleaned: Cleaned, after: str) -> Iterator[tuple[Cleaned, str]]:
        """Yield the block as one part, unless an earlier run committed it."""
        if not after:
            yield cleaned, "all"

    def write(self, cleaned: Cleaned) -> int:
        """Make or change the shoppers of a chunk and return how many were new or changed."""
        rows = self._named(cleaned.frame.iter_rows(named=True))
        self.n_withdrawals_kept = 0
        before = set(Shopper.everything.filter(external_id__in=rows).values_list("external_id", flat=True))
        ids = dict(self._names.ids(pl.Series("name", list(rows), dtype=pl.String)).rows())
        people = {row.pk: row for row in Shopper.everything.filter(pk__in=set(ids.values()))}
        by_id = {ids[name]: row for name, row in rows.items()}
        touched = {ids[name] for name in rows if name not in before}
        touched |= self._plain_fields(people, by_id)
        touched |= self._identities(by_id)
        touched |= self._permissions(people, by_id)
        return len(touched)

    def taken(self, cleaned: Cleaned) -> list[tuple[int, str]]:
        """Return (row number, reason) of rows whose address belongs to another shopper, in the shop or in the chunk."""
        rows = list(cleaned.frame.iter_rows(named=True))
        indexes = [blind_index(row["email"]) if row["email"] else "" for row in rows]
        owners = dict(
            Identity.objects.filter(email_index__in=[index for index in indexes if index]).values_list(
                "email_index", "shopper__external_id"
            )
        )
        found = []
        for row, index in zip(rows, indexes, strict=True):
            name = row["user_id"] or owners.get(index) or BY_EMAIL + index
            if index and owners.setdefault(index, name) != name:
                found.append((row["row"], "email_taken"))
        return found

    def _named(self, rows: Any) -> dict[str, dict[str, Any]]:
        """Return external id -> row; a row without one belongs to whoever has the address."""
        listed = list(rows)
        names = names_of(row["email"] for row in listed if not row["user_id"])
        return {row["user_id"] or names[row["email"]]: row for row in listed}

    def _plain_fields(self, people: dict[int, Shopper], rows: dict[int, dict[str, Any]]) -> set[int]:
        changed = []
        for pk, shopper in people.items():
            differs = [name for name in PLAIN if rows[pk][name] and getattr(shopper, name) != rows[pk][name]]
            for name in differs:
                setattr(shopper, name, rows[pk][name])
            if differs:
                changed.append(shopper)
        Shopper.everything.bulk_update(changed, PLAIN, batch_size=500)
        return {shopper.pk for shopper in changed}

    def _identities(self, rows: dict[int, dict[str, Any]]) -> set[int]:
        there = identity.identities_of(rows)
        new = []
        for pk, row in rows.items():
            said = {name: row[name] for name in PERSONAL if row[name]}
            known = there.get(pk)
            if said and (known is None or any(getattr(known, name) != value for name, value in said.items())):
                new.append({"shopper_id": pk, **said})
        identity.save_identities(new)
        return {row["shopper_id"] for row in new}

    def _permissions(self, people: dict[int, Shopper], rows: dict[int, dict[str, Any]]) -> set[int]:
        """Record what was said about permission, if it says something new."""
        groups: dict[tuple[bool, str, datetime], list[int]] = defaultdict(list)
        for pk, row in rows.items():
            if row["consent"] is None:
                continue
            state = ConsentState.GIVEN if row["consent"] else ConsentState.WITHDRAWN
            if people[pk].marketing == state:
                continue
            if people[pk].marketing == ConsentState.WITHDRAWN and row["consent_at"] is None:
                # A list without dates may be older than the withdrawal; the withdrawal stands.
                self.n_withdrawals_kept += 1
                continue
            at = row["consent_at"] or self._upload.created_at
            groups[row["consent"], row["consent_source"] or "upload", at].append(pk)
        statements = set(
            Consent.objects.filter(shopper_id__in=rows, purpose=Consent.Purpose.MARKETING).values_list(
                "shopper_id", "state", "at"
            )
        )
        said: set[int] = set()
        for (yes, source, at), pks in groups.items():
            state = ConsentState.GIVEN if yes else ConsentState.WITHDRAWN
            new = [pk for pk in pks if (pk, state, at) not in statements]
            act = consent.give if yes else consent.withdraw
            act(new, Consent.Purpose.MARKETING, source=source, at=at, proof=proof_of(self._upload))
            said.update(new)
        return said

    def finish(self) -> None:
        """Nothing is left to do."""


def proof_of(upload: Upload) -> str:
    """Return what a statement of permission names as its proof, so that it can be found again."""
    return f"upload {upload.uuid}"
