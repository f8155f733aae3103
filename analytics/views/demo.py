"""Loading the sample shop from the first-run page, which fills by itself when all is there."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from analytics import demo_setup, tasks
from behaviour.models import Shopper
from mailai.accounts.roles import ADMIN, UserRequest, require_role


@require_role(ADMIN)
@require_POST
def load_demo(request: UserRequest) -> HttpResponse:
    """Start loading the demo shop into an empty installation."""
    if Shopper.objects.filter(demo=False).exists():
        messages.error(
            request, _("There are real shoppers already. Sample data can only be loaded into an empty shop.")
        )
        return redirect("analytics:today")
    tasks.load_demo.delay_on_commit(request.user.pk)
    return redirect(reverse("analytics:today") + "?loading=demo")


@require_role(ADMIN)
def demo_progress(request: HttpRequest) -> HttpResponse:
    """Answer the first-run page's question how far the loading is; the last answer leads to the filled page."""
    answer = render(request, "analytics/_loading.html", {"n_shoppers": Shopper.objects.count()})
    if demo_setup.is_complete():
        answer["HX-Redirect"] = reverse("analytics:today")
    return answer
