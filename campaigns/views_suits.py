"""Who an email suits best, on the review page; loaded by itself, since it looks through what the audience did."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import suits, tasks
from campaigns.models import Campaign
from mailai.accounts.roles import MARKETER, UserRequest, require_role
from mailai.errors import InputError, StateError
from recommender.core.theme_exam import LIKELY


@require_role(MARKETER)
def card(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Show how many of the audience are likely to like the email, why, and how well that was tested."""
    campaign = get_object_or_404(Campaign.objects.select_related("segment"), uuid=uuid)
    context = {"campaign": campaign, "suits": suits.suits(campaign), "more": LIKELY - 1}
    context["audience"] = suits.audience_key(campaign)
    # A worker wrote it in the language of the code.
    context["refused"] = _(campaign.narrowing_refused) if campaign.narrowing_refused else ""
    return render(request, "campaigns/_suits.html", context)


@require_role(MARKETER)
@require_POST
def keep_likely(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Make those who are likely to like it the audience; of a large one a worker does it."""
    campaign = get_object_or_404(Campaign, uuid=uuid)
    try:
        asked = suits.begin(campaign, by=request.user, audience=request.POST.get("audience", ""))
        if suits.is_small(asked):
            segment = suits.keep_likely(asked, by=request.user)
            messages.success(request, _("The email goes to “%(segment)s” now.") % {"segment": segment.name})
        else:
            tasks.keep_likely.delay_on_commit(asked.pk)
            messages.success(request, _("They are being looked for. The audience changes when all are found."))
    except (InputError, StateError) as error:
        messages.error(request, str(error))
    return redirect("campaigns:review", uuid)
