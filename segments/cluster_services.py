"""What people do with groups of similar shoppers: give a name, make a segment."""

from typing import Any

from django.utils.translation import gettext as _

from mailai.accounts import audit
from mailai.errors import InputError
from mailai.texts import storable
from segments import cluster_pages, cluster_words, clustering, name_rules, services
from segments.models import Cluster, Segment

NAME_LENGTH = 80


def rename(number: int, name: str, *, by: Any) -> Cluster:
    """Give a group a name that stays with its number; an empty one lets its traits name it again.

    Raises
    ------
    InputError : there is no such group any more, or the name is too long.
    """
    cluster, name = _group(number), name_rules.tidy(name)
    if len(name) > NAME_LENGTH or not storable(name):
        raise InputError(_("Give the group a name of at most %(n)s letters.") % {"n": NAME_LENGTH})
    if cluster.name != name:
        cluster.name = name
        cluster.save(update_fields=["name"])
        audit.record("cluster.rename", cluster, by=by)
    return cluster


def make_segment(number: int, *, by: Any) -> Segment:
    """Make the segment of a group, or return the one that is there."""
    rule = cluster_pages.rule(number)
    cluster = _group(number)
    name = cluster_words.names(cluster.clustering.clusters.order_by("number"))[number]
    return services.segment_of(rule, name=name, by=by)


def _group(number: int) -> Cluster:
    cluster = Cluster.objects.select_related("clustering").filter(clustering=clustering.newest(), number=number).first()
    if cluster is None:
        raise InputError(_("There is no such group any more. Here are those of today."))
    return cluster
