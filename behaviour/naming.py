"""Whom a column of names means: email addresses, ids of the shop, pseudonyms of MailAI; each cell tells which it is."""

import re
from collections.abc import Iterable, Sequence

from behaviour import identity, pseudonyms
from behaviour.core.values import EMAIL
from behaviour.models import Shopper
from behaviour.models.people import masked

BATCH = 1000
ADDRESS = re.compile(EMAIL)
# What Shopper.pseudonym looks like; a spreadsheet or a hand may have changed the case.
PSEUDONYM = re.compile(r"^S-[0-9A-F]{12}$", re.IGNORECASE)
# An id as shops write them. Anything else in a wrong column may be a name, a phone number, a street.
PLAIN_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:#/-]{0,39}$")


def ids_named(names: Iterable[str]) -> dict[str, int]:
    """Return name -> row id of the visible shopper whom it means; who was merged into another is that other one.

    Costs four indexed queries a thousand different names.
    """
    found: dict[str, int] = {}
    listed = list(dict.fromkeys(names))
    for start in range(0, len(listed), BATCH):
        found |= _ids_of(listed[start : start + BATCH])
    return found


def _ids_of(names: Sequence[str]) -> dict[str, int]:
    addresses = [name for name in names if ADDRESS.match(name)]
    # Who is known by an address only has an id that is made of it.
    external = {name: name for name in names} | pseudonyms.names_of(addresses)
    ids = identity.shopper_ids(external.values())
    found = {name: ids[key] for name, key in external.items() if key in ids}
    shown = {name: name.upper() for name in names if name not in found and PSEUDONYM.match(name)}
    if shown:
        own = identity.ids_by_pseudonym(shown.values())
        found |= {name: own[key] for name, key in shown.items() if key in own}
    visible = set(Shopper.objects.filter(pk__in=set(found.values())).values_list("pk", flat=True))
    return {name: pk for name, pk in found.items() if pk in visible}


def looks_like_name(text: str) -> bool:
    """Say whether a text is an address or a pseudonym, as it stands."""
    return bool(ADDRESS.match(text) or PSEUDONYM.match(text))


def shown(name: str) -> str:
    """Return a name as it may be kept and shown: an id as it is, all else so that only who knows it recognises it."""
    if ADDRESS.match(name):
        return masked(name)
    return name if PLAIN_ID.match(name) else f"{name[:1]}••••"
