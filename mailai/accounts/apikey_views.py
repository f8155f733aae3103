"""Pages of the API keys: list, make, show once, revoke, and the script for the shop's pages."""

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from mailai.accounts import apikeys
from mailai.accounts.apikey_forms import ApiKeyForm
from mailai.accounts.models import ApiKey
from mailai.accounts.roles import ADMIN, UserRequest, require_role
from mailai.errors import InputError

SNIPPET = """<script>
  window.mailai = window.mailai || function () {{ (mailai.q = mailai.q || []).push(arguments); }};
</script>
<script async src="{address}" data-key="{key}"></script>"""


@require_role(ADMIN)
def api_keys(request: UserRequest, form: ApiKeyForm | None = None, secret: str = "", status: int = 200) -> HttpResponse:
    """Show the keys and what each may do."""
    context = {
        "nav": "admin",
        "tab": "api",
        "keys": ApiKey.objects.select_related("created_by").order_by("revoked_at", "-id"),
        "form": form or ApiKeyForm(),
        "browser": ApiKey.Scope.BROWSER,
        "secret": secret,
        "cache_seconds": round(apikeys.CACHE_SECONDS),
    }
    return render(request, "accounts/api_keys.html", context, status=status)


@require_role(ADMIN)
def create_api_key(request: UserRequest) -> HttpResponse:
    """Make a key; its secret is on this one page and nowhere else. Who comes back to its address sees the keys."""
    if request.method != "POST":
        return redirect("accounts:api_keys")
    form = ApiKeyForm(request.POST)
    if not form.is_valid():
        return api_keys(request, form=form, status=422)
    data = form.cleaned_data
    try:
        key, secret = apikeys.create(
            data["name"], data["scopes"], by=request.user, rate=data["rate"], origins=data["origins"],
            expires_at=form.expires_at(),
        )  # fmt: skip
    except InputError as error:
        form.add_error(None, str(error))
        return api_keys(request, form=form, status=422)
    if key.site_key:
        return redirect("accounts:api_snippet", key.uuid)
    response = api_keys(request, secret=secret)
    response["Cache-Control"] = "no-store"
    return response


@require_role(ADMIN)
@require_POST
def revoke_api_key(request: UserRequest, uuid: UUID) -> HttpResponse:
    """End a key for ever."""
    apikeys.revoke(get_object_or_404(ApiKey, uuid=uuid), by=request.user)
    return redirect("accounts:api_keys")


@require_role(ADMIN)
def api_snippet(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Show the script for the shop's pages with its key in place, and whether events arrive."""
    key = get_object_or_404(ApiKey.objects.exclude(site_key=""), uuid=uuid)
    address = settings.MAILAI_PUBLIC_URL + reverse("behaviour:api_snippet")
    context = {"nav": "admin", "tab": "api", "key": key, "snippet": SNIPPET.format(address=address, key=key.site_key)}
    return render(request, "accounts/api_snippet.html", context)


@require_role(ADMIN)
def api_last_event(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Show when the last event came; asked again and again."""
    return render(request, "accounts/_last_event.html", {"key": get_object_or_404(ApiKey, uuid=uuid)})
