"""One shopper on lists: which she is on, and putting her on one or taking her off by hand."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from behaviour import turns
from behaviour.models import Shopper
from mailai.accounts import audit
from mailai.errors import StateError
from segments import lists
from segments.models import ShopperList, ShopperListMember

# So many lists of one shopper are shown.
MOST = 50


def lists_of(shopper: Shopper) -> Sequence[ShopperList]:
    """Return the lists that she is on, by name; one query."""
    return list(ShopperList.objects.filter(members__shopper=shopper).order_by("name")[:MOST])


def takes_members(one: ShopperList) -> bool:
    """Say whether people decide who is on a list: a frozen segment stays as it was."""
    return one.source == ShopperList.Source.UPLOADED


def add_member(shopper: Shopper, to: ShopperList, *, by: Any) -> bool:
    """Put a shopper on a list and return whether she was not on it yet.

    Raises
    ------
    StateError : the list is a frozen segment or not there for more, or the shopper is gone.
    """
    _check_changeable(to)
    with transaction.atomic():
        # Nobody is removed or merged until she is on it.
        turns.hold()
        # Nor is the list deleted.
        if not ShopperList.ready().select_for_update().filter(pk=to.pk).exists():
            raise StateError(_("“%(name)s” was deleted meanwhile.") % {"name": to.name})
        if not Shopper.objects.filter(pk=shopper.pk).exists():
            raise StateError(_("%(shopper)s was removed or merged meanwhile.") % {"shopper": shopper})
        _member, new = ShopperListMember.objects.get_or_create(list=to, shopper=shopper)
        if new:
            ShopperList.objects.filter(pk=to.pk).update(n_members=F("n_members") + 1)
            audit.record("list.add_shopper", to, by=by, shopper=shopper.pseudonym)
    return new


def add_to_new_list(shopper: Shopper, name: str, *, by: Any) -> ShopperList:
    """Make a list with this shopper on it; InputError when the name is missing or taken."""
    name = lists.checked(name, missing=_("Choose a list, or give a new one a name of 1 to %(n)s letters."))
    with transaction.atomic():
        made = ShopperList.objects.create(name=name, source=ShopperList.Source.UPLOADED, created_by=by)
        audit.record("list.make", made, by=by)
        add_member(shopper, made, by=by)
    return made


def remove_member(shopper: Shopper, from_list: ShopperList, *, by: Any) -> bool:
    """Take a shopper off a list and return whether she was on it; StateError for a frozen segment."""
    _check_changeable(from_list)
    with transaction.atomic():
        n, _rows = ShopperListMember.objects.filter(list=from_list, shopper=shopper).delete()
        if n:
            ShopperList.objects.filter(pk=from_list.pk).update(n_members=F("n_members") - 1)
            audit.record("list.remove_shopper", from_list, by=by, shopper=shopper.pseudonym)
    return bool(n)


def _check_changeable(one: ShopperList) -> None:
    if not takes_members(one):
        raise StateError(
            _("“%(name)s” is a frozen segment and stays as it was. Choose an uploaded list, or name a new one.")
            % {"name": one.name}
        )
