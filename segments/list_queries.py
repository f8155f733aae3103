"""All that is read about lists of shoppers."""

from collections.abc import Iterable

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from behaviour.models import Shopper, Upload
from segments import name_rules
from segments.models import ShopperList, ShopperListMember


def listed() -> QuerySet[ShopperList]:
    """Return all lists, the newest first, with the segment that was frozen and who made them."""
    return ShopperList.objects.defer("waiting").select_related("segment", "created_by").order_by("-created_at", "-pk")


def shoppers(of: ShopperList) -> QuerySet[Shopper]:
    """Return who is on a list now, each person once."""
    return Shopper.objects.filter(pk__in=ShopperListMember.objects.filter(list=of).values("shopper_id"))


def sizes(lists: Iterable[ShopperList]) -> dict[int, int]:
    """Return list id -> how many are on it now: who was removed or merged since is not.

    Two queries: all members by the index of lists, and the few of them whom nobody sees, so that a list of a million
    is not joined with its shoppers.
    """
    members = ShopperListMember.objects.filter(list__in=list(lists)).order_by()
    unseen = Shopper.everything.filter(Q(merged_into__isnull=False) | Q(upload__in=Upload.hidden_ids())).order_by()
    everybody = dict(members.values_list("list").annotate(n=Count("pk")))
    less = dict(members.filter(shopper__in=unseen).values_list("list").annotate(n=Count("pk")))
    return {pk: n - less.get(pk, 0) for pk, n in everybody.items()}


def list_named(name: str) -> ShopperList:
    """Return the list of that name; InputError names the nearest when there is none."""
    return name_rules.named(
        name, ShopperList.objects.all(), near=_("There is no list “%(name)s”. Did you mean “%(near)s”?"),
        nothing=_("There is no list “%(name)s”. Upload it first, or freeze a segment."),
    )  # fmt: skip
