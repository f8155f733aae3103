"""Puts one shopper on a list, or takes her off."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from analytics.forms import ListForm
from behaviour.models import Shopper
from mailai.accounts.roles import MARKETER, UserRequest, require_role
from mailai.errors import InputError, StateError
from segments import list_members
from segments.models import ShopperList


@require_role(MARKETER)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: UserRequest, pseudonym: str) -> HttpResponse:
    """Choose a list or name a new one; the shopper page asks the same in a dialog."""
    shopper = get_object_or_404(Shopper, pseudonym=pseudonym)
    form = ListForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            _added(request, shopper, form.cleaned_data["list"], form.cleaned_data["name"])
        except (InputError, StateError) as error:
            form.add_error("name", str(error))
        else:
            return redirect("analytics:shopper", pseudonym)
    context = {"nav": "shoppers", "shopper": shopper, "list_form": form}
    return render(request, "analytics/list_add.html", context, status=422 if form.errors else 200)


@require_role(MARKETER)
@require_POST
def remove(request: UserRequest, pseudonym: str, uuid: UUID) -> HttpResponse:
    """Take her off a list."""
    shopper, one = get_object_or_404(Shopper, pseudonym=pseudonym), get_object_or_404(ShopperList, uuid=uuid)
    try:
        if list_members.remove_member(shopper, one, by=request.user):
            messages.success(request, _("%(shopper)s is off the list “%(name)s”.") % {"shopper": shopper, "name": one})
    except StateError as error:
        messages.error(request, str(error))
    return redirect("analytics:shopper", pseudonym)


def _added(request: UserRequest, shopper: Shopper, chosen: ShopperList | None, name: str) -> None:
    words = {"shopper": shopper, "name": chosen or name}
    if chosen is None:
        words["name"] = list_members.add_to_new_list(shopper, name, by=request.user)
        messages.success(request, _("The new list “%(name)s” has %(shopper)s on it.") % words)
    elif list_members.add_member(shopper, chosen, by=request.user):
        messages.success(request, _("%(shopper)s is on the list “%(name)s”.") % words)
    else:
        messages.info(request, _("%(shopper)s was on the list “%(name)s” already.") % words)
