"""What a shopper is called whom a file knows by an email address only: never by the address itself."""

from collections.abc import Iterable

import polars as pl

from behaviour.core import values
from behaviour.core.cleaning import Cleaned
from behaviour.models import Identity
from mailai.crypto import blind_index

# Who has no id in the shop is known by the blind index of the address.
BY_EMAIL = "mail-"


def names_of(addresses: Iterable[str]) -> dict[str, str]:
    """Return address -> external id of the shopper who has it, or the id of the one who will be made for it."""
    indexes = {address: blind_index(address) for address in addresses if address}
    rows = Identity.objects.filter(email_index__in=indexes.values())
    owners = dict(rows.values_list("email_index", "shopper__external_id"))
    return {address: owners.get(index, BY_EMAIL + index) for address, index in indexes.items()}


def without_addresses(cleaned: Cleaned) -> Cleaned:
    """Put a pseudonymous id where the id of a shopper is an email address; about people, the address is kept apart."""
    if "user_id" not in cleaned.frame.columns:
        return cleaned
    found = cleaned.frame.filter(values.is_address("user_id"))["user_id"].unique().to_list()
    if not found:
        return cleaned
    frame = cleaned.frame
    if "email" in frame.columns:
        given = pl.when((pl.col("email") == "") & values.is_address("user_id")).then(
            pl.col("user_id").str.to_lowercase()
        )
        frame = frame.with_columns(email=given.otherwise(pl.col("email")))
    names = names_of(found)
    cleaned.frame = frame.with_columns(pl.col("user_id").replace(names))
    if cleaned.people is not None:
        cleaned.people = cleaned.people.with_columns(pl.col("user_id").replace(names))
    return cleaned
