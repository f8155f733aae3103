"""Which shoppers were joined and why; taking them apart, and joining two by hand. Admins only."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from behaviour import identity, merge_moves, merging
from behaviour.models import Merge, Shopper
from mailai.accounts.roles import ADMIN, UserRequest, require_role
from mailai.errors import InputError, MailAIError
from mailai.ui.tables import paginate

WHY = {
    merging.VISITOR: gettext_lazy("The same browser in an event of the shopper"),
    merging.EMAIL: gettext_lazy("The same email address beside the id"),
    merging.PERSON: gettext_lazy("Decided by a person"),
}


class SearchForm(forms.Form):
    """The beginning of a pseudonym; anything else is ignored."""

    q = forms.CharField(required=False, max_length=16)


class OtherForm(forms.Form):
    """Another shopper, named exactly."""

    other = forms.CharField(max_length=254)


@dataclass(frozen=True)
class MergeRow:
    """One merge as the list shows it."""

    merge: Merge
    why: str
    n_events: int


@require_role(ADMIN)
def merges(request: UserRequest) -> HttpResponse:
    """List the merges, the newest first."""
    form = SearchForm(request.GET)
    pseudonym = form.cleaned_data["q"].strip().upper() if form.is_valid() else ""
    found = Merge.objects.select_related("kept", "joined", "upload", "by").order_by("-at", "-pk")
    if pseudonym:
        found = found.filter(Q(kept__pseudonym__startswith=pseudonym) | Q(joined__pseudonym__startswith=pseudonym))
    page = paginate(request, found)
    context = {
        "nav": "data",
        "tab": "merges",
        "page": page,
        "rows": [_row(merge) for merge in page],
        "pseudonym": pseudonym,
    }
    return render(request, "behaviour/merges.html", context)


def _row(merge: Merge) -> MergeRow:
    ranges = merge.moved.get(merge_moves.EVENTS, [])
    return MergeRow(merge, why(merge), sum(last - first + 1 for first, last in ranges))


def why(merge: Merge) -> str:
    """Say what showed that the two are one."""
    return str(WHY.get(merge.evidence, merge.evidence))


@require_role(ADMIN)
@require_POST
def merge_undo(request: UserRequest, uuid: str) -> HttpResponse:
    """Take two shoppers apart."""
    merge = get_object_or_404(Merge.objects.select_related("kept", "joined"), uuid=uuid)
    try:
        merging.undo_merge(merge, by=request.user)
        names = {"kept": merge.kept, "joined": merge.joined}
        messages.success(request, _("%(kept)s and %(joined)s are two shoppers again.") % names)
    except MailAIError as error:
        messages.error(request, str(error))
    return redirect(_way_back(request))


def _way_back(request: HttpRequest) -> str:
    back = request.POST.get("back", "")
    return back if url_has_allowed_host_and_scheme(back, None) else "behaviour:merges"


@require_role(ADMIN)
@require_POST
def merge_with(request: UserRequest, pseudonym: str) -> HttpResponse:
    """Join another shopper to this one, because a person knows that they are one."""
    kept = get_object_or_404(Shopper, pseudonym=pseudonym)
    form = OtherForm(request.POST)
    try:
        other = _found(form.cleaned_data["other"] if form.is_valid() else "")
        merging.merge_by_hand(other, kept, by=request.user)
        messages.success(request, _("%(joined)s is %(kept)s from now on.") % {"joined": other, "kept": kept})
    except MailAIError as error:
        messages.error(request, str(error))
    return redirect("analytics:shopper", kept.pseudonym)


def _found(name: str) -> Any:
    """Return the shopper with exactly this id of the shop or email address.

    Raises
    ------
    InputError : there is none.
    """
    found = identity.find_by_email(name) if "@" in name else Shopper.objects.filter(external_id=name).first()
    if found is None:
        raise InputError(_("No shopper has exactly this id or email address. Check the spelling."))
    return found
