"""What files say about people into shoppers, encrypted identities and permission."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
from django.db import transaction

from behaviour import bulk, consent, identity, merging, set_aside
from behaviour.core.cleaning import Cleaned
from behaviour.models import Consent, ConsentState, Identity, Shopper, ShopperChange, Upload
from behaviour.names import adopt, new_shoppers
from behaviour.pseudonyms import BY_EMAIL, names_of
from mailai.crypto import blind_index

PERSONAL, PLAIN = ShopperChange.PERSONAL, ShopperChange.PLAIN
CHANGED = {"country": pl.String, "locale": pl.String, "id": pl.Int64}
CHANGE = {
    "sqlite": "UPDATE behaviour_shopper SET country = %s, locale = %s WHERE id = %s",
    "postgresql": "UPDATE behaviour_shopper AS t SET country = x.country, locale = x.locale"
    " FROM jsonb_to_recordset(%s::jsonb) AS x(country text, locale text, id bigint) WHERE t.id = x.id",
}
# Rows of one transaction; encryption costs 40 microseconds a row.
PART = 4000
Row = dict[str, Any]


class ShopperLoader:
    """Loads shoppers; an empty cell changes nothing, an unchanged row counts as known.

    Whom everybody sees changes with ``publish``; only withdrawals and suppressed addresses count at once.
    """

    def __init__(self, upload: Upload, *, proof: str = "", source: str = "upload") -> None:
        self._upload, self._source = upload, source
        self._proof = proof or proof_of(upload)
        self._names = new_shoppers(upload)
        self.n_withdrawals_kept = 0

    def observe(self, cleaned: Cleaned) -> None:
        """Begin to count anew."""
        self.n_withdrawals_kept = 0

    def parts(self, cleaned: Cleaned, after: str) -> Iterator[tuple[pl.DataFrame, str]]:
        """Yield the rows in parts, and the number of the last row of each."""
        for part in cleaned.frame.filter(pl.col("row") > int(after or -1)).iter_slices(PART):
            yield part, str(part["row"][-1])

    def write(self, part: pl.DataFrame) -> int:
        """Make or change the shoppers of a part and return how many were new or changed."""
        rows = self._named(part)
        before = set(Shopper.everything.filter(external_id__in=rows).values_list("external_id", flat=True))
        ids = dict(self._names.ids(pl.Series("name", list(rows), dtype=pl.String)).rows())
        if self._upload.pk:
            adopt(Shopper, ids.values(), self._upload)
        later = self._join_known_by_address(rows)
        kept = identity.kept_ids(ids.values())
        ids = {name: kept.get(pk, pk) for name, pk in ids.items()}
        found = Shopper.everything.filter(pk__in=set(ids.values())).order_by("pk")
        if self._upload.pk is None:
            # A file that is published at this moment waits, or we do.
            found = found.select_for_update(no_key=True)
        people = {row.pk: row for row in found}
        by_id = _by_person(rows, ids)
        there = identity.identities_of(by_id)
        aside = set_aside.Aside(self._upload, people, there)
        aside.hold([ids[name] for name in later])
        touched = {ids[name] for name in rows if name not in before}
        touched |= self._plain_fields(people, by_id, aside)
        touched |= self._identities(there, by_id, aside)
        touched |= self._permissions(people, by_id, aside)
        aside.keep()
        _suppress(by_id)
        return len(touched)

    def finish(self, beat: Callable[[], None]) -> Counter[str]:
        """Nothing is left to do."""
        return Counter()

    def publish(self) -> Counter[str]:
        """Write what was set aside, inside the transaction that lets everybody see the upload."""
        set_aside.publish(self._upload, self._proof)
        return Counter()

    def load_people(self, people: pl.DataFrame) -> None:
        """Keep what a file of events says about people; an address that belongs to somebody else stays there."""
        taken = [row for row, _reason in self.taken(people)]
        own = pl.when(pl.col("row").is_in(taken)).then(pl.lit("")).otherwise(pl.col("email"))
        for part in people.with_columns(email=own).iter_slices(PART):
            with transaction.atomic():
                self.write(part)

    def taken(self, frame: pl.DataFrame) -> list[tuple[int, str]]:
        """Return (row number, reason) of rows whose address belongs to another shopper, in the shop or in the frame."""
        rows = list(frame.select("row", "user_id", "email").iter_rows(named=True))
        indexes = [blind_index(row["email"]) if row["email"] else "" for row in rows]
        owners: dict[str, str] = {}
        wanted = pl.Series([index for index in indexes if index], dtype=pl.String).unique()
        for part in wanted.to_frame("index").iter_slices(PART):
            owned = Identity.objects.filter(email_index__in=part["index"].to_list())
            owners |= dict(owned.values_list("email_index", "shopper__external_id"))  # type: ignore[arg-type]
            owners |= set_aside.owners_of(self._upload, part["index"])
        differ = [
            (owners[index], row["user_id"])
            for row, index in zip(rows, indexes, strict=True)
            if row["user_id"] and owners.get(index, row["user_id"]) != row["user_id"]
        ]
        # Who was known by this address only turns out to have an id: the two are joined, not refused.
        becoming, stored = merging.joinable(differ), set(owners)
        ids: dict[str, Any] = identity.shopper_ids(name for pair in differ for name in pair)
        found = []
        for row, index in zip(rows, indexes, strict=True):
            by_address = BY_EMAIL + index
            name = row["user_id"] or owners.get(index) or by_address
            if not index or (name == by_address and index not in stored):
                continue
            owner = name if (owners.get(index), name) in becoming else owners.get(index, name)
            owners[index] = owner
            if ids.get(owner, owner) != ids.get(name, name):
                found.append((row["row"], "email_taken"))
        return found

    def _join_known_by_address(self, rows: dict[str, Row]) -> list[str]:
        """Join whom the shop knew by an address only to the shopper of whom a row tells id and address.

        Returns the names of shoppers whom somebody that everybody sees will be joined to when the upload is published.
        """
        told = [(blind_index(row["email"]), name) for name, row in rows.items() if row["email"]]
        indexes = {index: name for index, name in told if name != BY_EMAIL + index}
        named = Shopper.everything.filter(external_id__in=[BY_EMAIL + index for index in indexes], merged_into=None)
        known = [(name, name.removeprefix(BY_EMAIL)) for name in named.values_list("external_id", flat=True)]
        # Whoever has the address now may have been named by a former one.
        owners = Identity.objects.filter(email_index__in=indexes, shopper__external_id__startswith=BY_EMAIL)
        known += [(name, str(index)) for name, index in owners.values_list("shopper__external_id", "email_index")]
        pairs = [(name, indexes[index]) for name, index in dict.fromkeys(known) if name != indexes[index]]
        if not pairs or self._upload.pk is None:
            merging.join(pairs)
            return []
        later = set_aside.joined_later(pairs, self._upload)
        merging.join(sorted(set(pairs).difference(later)), upload=self._upload)
        return [kept for _name, kept in later]

    def _named(self, part: pl.DataFrame) -> dict[str, Row]:
        """Return external id -> row; a row without one belongs to whoever has the address, or will have it."""
        listed = list(part.iter_rows(named=True))
        names = names_of(row["email"] for row in listed if not row["user_id"])
        indexes = {address: blind_index(address) for address in names}
        owners = set_aside.owners_of(self._upload, indexes.values())
        names = {address: owners.get(indexes[address], name) for address, name in names.items()}
        return {row["user_id"] or names[row["email"]]: row for row in listed}

    def _plain_fields(self, people: dict[int, Shopper], rows: dict[int, Row], aside: set_aside.Aside) -> set[int]:
        changed, now = set(), []
        for pk, shopper in people.items():
            before = {name: getattr(shopper, name) for name in PLAIN}
            after = before | {name: rows[pk][name] for name in PLAIN if rows[pk][name]}
            if after == before:
                continue
            changed.add(pk)
            if aside.waits(pk):
                aside.tell(pk, *_differing(before, after))
            else:
                now.append((*after.values(), pk))
        bulk.change(CHANGE, pl.DataFrame(now, schema=CHANGED, orient="row"))
        return changed

    def _identities(self, there: dict[int, Identity], rows: dict[int, Row], aside: set_aside.Aside) -> set[int]:
        changed, now = set(), []
        for pk, row in rows.items():
            after = {name: row[name] for name in PERSONAL if row[name]}
            before = {name: getattr(there[pk], name) if pk in there else "" for name in after}
            if after == before:
                continue
            changed.add(pk)
            if aside.waits(pk):
                aside.tell(pk, *_differing(before, after))
            else:
                now.append({"shopper_id": pk, **after})
        identity.save_identities(now)
        return changed

    def _permissions(self, people: dict[int, Shopper], rows: dict[int, Row], aside: set_aside.Aside) -> set[int]:
        """Record what was said about permission, if it says something new; that somebody agrees may wait."""
        new: list[consent.Statement] = []
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
            new.append(consent.Statement(pk, state, row["consent_source"] or self._source, at, self._proof))
        statements = set(
            Consent.objects.filter(
                shopper_id__in={row.shopper_id for row in new}, purpose=Consent.Purpose.MARKETING
            ).values_list("shopper_id", "state", "at")
        )
        said = [row for row in new if (row.shopper_id, row.state, row.at) not in statements]
        later = [row for row in said if row.state == ConsentState.GIVEN and aside.waits(row.shopper_id)]
        for one in later:
            aside.tell(one.shopper_id, {}, {"consent_at": one.at, "consent_source": one.source})
        consent.record([row for row in said if row not in later], Consent.Purpose.MARKETING)
        return {row.shopper_id for row in said}


def _differing(before: dict[str, str], after: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    names = [name for name, value in after.items() if before[name] != value]
    return {name: before[name] for name in names}, {name: after[name] for name in names}


def _suppress(rows: dict[int, Row]) -> None:
    """Never mail the addresses again that the file says must not be mailed."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for row in rows.values():
        if row["suppressed"] and row["email"]:
            reasons[row["suppressed"]].append(blind_index(row["email"]))
    for reason, indexes in reasons.items():
        consent.suppress_all(indexes, reason)


def _by_person(rows: dict[str, Row], ids: dict[str, int]) -> dict[int, Row]:
    """Return shopper id -> row; of two names of one person the later row counts where it says something."""
    found: dict[int, Row] = {}
    for name, row in rows.items():
        earlier = found.get(ids[name])
        said = {key: value for key, value in row.items() if value not in ("", None)} if earlier else row
        found[ids[name]] = (earlier or {}) | said
    return found


def proof_of(upload: Upload) -> str:
    """Return what a statement of permission names as its proof, so that it can be found again."""
    return f"upload {upload.uuid}"
