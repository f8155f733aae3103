"""Loading the sample shop from the first-run page."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from analytics import tasks
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
    else:
        tasks.load_demo.delay_on_commit(request.user.pk)
        messages.success(request, _("The sample shop is being loaded. It fills this page within a minute."))
    return redirect("analytics:today")
