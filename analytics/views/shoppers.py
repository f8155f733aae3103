"""The list of shoppers, and everything about one of them."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from analytics import expectations, people, stories
from analytics.forms import FindForm, ListForm, RevealForm, ShopperFilterForm
from analytics.overview import local_now
from analytics.picks import picks_for
from analytics.timeline import FILTERS
from analytics.timeline import timeline as read_timeline
from behaviour import identity
from behaviour.merge_views import why
from behaviour.models import Identity, Shop, Shopper, masked
from campaigns import topics
from campaigns.models import Campaign
from mailai.accounts import audit
from mailai.accounts.roles import ADMIN, MARKETER, has_role, require_login, require_role
from mailai.errors import InputError
from mailai.moments import moment_in
from mailai.ui.keyset import KeyPage, key_page
from recommender.boards import label_of
from recommender.services import champion
from segments import list_members
from segments.models import Prediction, Segment

# Who may see personal data, with a reason.
MAY_REVEAL = (MARKETER, ADMIN)


@require_login
def shoppers(request: HttpRequest) -> HttpResponse:
    """Show the list; who is looked for is sent by POST, so that no address or id ever stands in a link or a log."""
    form = FindForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        found = people.named(form.cleaned_data["who"])
        if found:
            audit.record("shopper.find", found)
            return redirect("analytics:shopper", found.pseudonym)
        form.add_error("who", _("No shopper has exactly this address, id or pseudonym. Check the spelling."))
    filters = ShopperFilterForm(request.GET).filters()
    context = {
        "nav": "shoppers",
        **_listed(request, filters),
        "filters": filters,
        "stages": people.stage_choices(),
        "segments": list(Segment.objects.only("uuid", "name")),
        "find_form": form,
        "has_predictions": Prediction.objects.exists(),
    }
    return render(request, "analytics/shoppers.html", context, status=422 if form.errors else 200)


def _listed(request: HttpRequest, filters: people.Filters) -> dict[str, Any]:
    """Return the page of the list and its size; a segment whose rule can't be read any more says so."""
    try:
        found, n_shown = people.narrowed(filters, people.shoppers(filters))
    except InputError as error:
        return {"page": KeyPage([], "", ""), "n_shown": 0, "problem": str(error)}
    return {
        "page": key_page(request, found, people.SORTS[filters.sort]),
        "n_shown": min(n_shown, people.COUNTED) if filters.any else n_shown,
        "is_more": filters.any and n_shown > people.COUNTED,
    }


@require_login
def shopper(request: HttpRequest, pseudonym: str) -> HttpResponse:
    """Show one shopper without anything that names her; who was merged is shown as who she is now."""
    if now_called := people.who_it_is_now(pseudonym):
        return redirect("analytics:shopper", now_called)
    found = get_object_or_404(Shopper, pseudonym=pseudonym)
    return _page(request, found, RevealForm())


@require_role(*MAY_REVEAL)
@require_POST
def reveal(request: HttpRequest, pseudonym: str) -> HttpResponse:
    """Show the page with personal data, once, and write down who looked and why."""
    found = get_object_or_404(Shopper, pseudonym=pseudonym)
    form = RevealForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form, status=422)
    audit.record("shopper.reveal", found, by=request.user, reason=form.cleaned_data["reason"])
    response = _page(request, found, RevealForm(), revealed=True)
    response["Cache-Control"] = "no-store"
    return response


@require_login
def timeline(request: HttpRequest, pseudonym: str) -> HttpResponse:
    """Send an older part of the timeline, or its card under another filter; without htmx the page itself shows it."""
    found = get_object_or_404(Shopper, pseudonym=pseudonym)
    if not request.headers.get("HX-Request"):
        return _page(request, found, RevealForm())
    context = {"shopper": found, **_timeline(request, found, Shop.current())}
    part = "_timeline" if context["is_older"] else "_timeline_card"
    return render(request, f"analytics/{part}.html", context)


def _page(
    request: HttpRequest, found: Shopper, form: RevealForm, *, revealed: bool = False, status: int = 200
) -> HttpResponse:
    shop = Shop.current()
    who = identity.identities_of([found.pk]).get(found.pk)
    profile, model = people.profile_of(found), champion()
    expected = expectations.expected_of(found, profile, shop.currency)
    context = {
        "nav": "shoppers",
        "shopper": found,
        "profile": profile,
        "expected": expected,
        "why_nothing": "" if expected else expectations.why_nothing(profile, any_run=Prediction.objects.exists()),
        "best_time": expectations.best_time(profile),
        "language": people.language_of(found),
        "likes": people.likes(profile),
        "sale_habit": expectations.sale_habit(profile),
        "segments_of_hers": people.segments_of(found),
        "lists_of_hers": list_members.lists_of(found),
        "may_edit_lists": has_role(request.user, MARKETER),
        "list_form": ListForm(),
        "days_since_order": people.days_since(profile.last_order_at) if profile else None,
        "standing": people.standing(found, shop),
        "messages_received": people.messages_of(found),
        "topics": topics.topics_of(found.pk),
        "waiting": topics.waiting_for(found.pk),
        "draft": Campaign.objects.filter(state=Campaign.State.DRAFT).order_by("-updated_at").first(),
        "mask": masked(who.email) if who and who.email else "",
        "person": _person(who) if revealed and who else [],
        "may_reveal": has_role(request.user, *MAY_REVEAL),
        "reveal_form": form,
        "merges": [(merge, why(merge)) for merge in people.merges_of(found)],
        "may_merge": has_role(request.user, ADMIN),
        "back": {"back": reverse("analytics:shopper", args=[found.pseudonym])},
        "picks": picks_for(found, shop),
        "model": label_of(model) if model else "",
        **_timeline(request, found, shop),
    }
    return render(request, "analytics/shopper.html", context, status=status)


def _person(who: Identity) -> list[tuple[str, str]]:
    rows = [
        (_("Name"), f"{who.first_name} {who.last_name}".strip()),
        (_("Email address"), who.email),
        (_("Phone"), who.phone),
        (_("Birthday"), who.birthday),
    ]
    return [(label, value) for label, value in rows if value]


def _timeline(request: HttpRequest, found: Shopper, shop: Shop) -> dict[str, Any]:
    kinds = request.GET.get("kind", "all")
    kinds = kinds if kinds in FILTERS else "all"
    page = read_timeline(found, kinds, moment_in(request.GET.get("before", "")))
    return {
        "days": stories.days(page.entries, shop, local_now(shop).date()),
        "older": page.older.isoformat() if page.older else "",
        "n_older": page.n_older,
        "kind": kinds,
        "is_older": bool(request.GET.get("before")),
        "kinds": [
            ("all", _("All")),
            ("orders", _("Orders")),
            ("carts", _("Carts")),
            ("views", _("Views")),
            ("emails", _("Emails")),
        ],
    }
