"""The five steps of a campaign. Each is a plain form; a step can be left and found again."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.forms import formset_factory
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from behaviour.models import Shop
from campaigns import checks, content, delivery, planning, queries, senders, services, tasks, wishes
from campaigns.forms import AudienceForm, ContentForm, SubjectForm, TestMailForm, TimingForm, audience_initial
from campaigns.models import Campaign, Sender
from campaigns.pick_forms import PicksForm
from mailai.accounts.roles import MARKETER, UserRequest, require_role
from mailai.errors import DeliveryError, InputError, StateError
from segments.models import Segment

STEPS = ("audience", "content", "subject", "timing", "review")
N_PREVIEWS = 3
SubjectForms = formset_factory(SubjectForm, extra=0, min_num=1, validate_min=True, max_num=3, validate_max=True)


def _labels() -> dict[str, str]:
    return {
        "audience": _("Audience"), "content": _("Content"), "subject": _("Subject"), "timing": _("Timing"),
        "review": _("Review"),
    }  # fmt: skip


def _draft(uuid: UUID) -> Campaign:
    return get_object_or_404(Campaign.objects.select_related("segment", "sender", "run"), uuid=uuid)


def _or_report(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer a change that comes too late with a sentence on the campaign's report."""

    @wraps(view)
    def step(request: UserRequest, uuid: UUID) -> HttpResponse:
        try:
            return view(request, uuid)
        except StateError as error:
            messages.error(request, str(error))
            return redirect("analytics:report", uuid)

    return step


def _page(request: UserRequest, step: str, campaign: Campaign, status: int = 200, **context: Any) -> HttpResponse:
    """Render one step in the composer's frame; what is on its way is shown by its report."""
    if campaign.pk and campaign.state != Campaign.State.DRAFT:
        return redirect("analytics:report", campaign.uuid)
    labels = _labels()
    done = checks.done_steps(campaign)
    if "fall" not in context:
        context["fall"] = _fall(campaign)
    frame = {
        "nav": "campaigns",
        "campaign": campaign,
        "current": step,
        "steps": [
            {"key": key, "label": labels[key], "url": _step_url(key, campaign), "done": key in done} for key in STEPS
        ],
        "back_url": reverse("campaigns:list"),
        "previous_url": _step_url(STEPS[STEPS.index(step) - 1], campaign) if step != STEPS[0] else "",
    }
    # Times are chosen and shown in the shop's zone.
    with timezone.override(Shop.current().zone):
        return render(request, f"campaigns/{step}.html", frame | context, status=status)


def _step_url(step: str, campaign: Campaign) -> str:
    return reverse(f"campaigns:{step}", args=[campaign.uuid]) if campaign.pk else reverse("campaigns:new")


@require_role(MARKETER)
def new(request: UserRequest) -> HttpResponse:
    """Begin a campaign: the first step, stored when it is sent off."""
    wanted = _uuid(request.GET.get("segment"))
    segment = Segment.objects.filter(uuid=wanted).first() if wanted else None
    name = _("Campaign of %(day)s") % {"day": timezone.localdate().isoformat()}
    campaign = Campaign(name=name, segment=segment)
    form = AudienceForm(request.POST or None, initial=audience_initial(campaign))
    if made := _stored(request, form, services.create_draft):
        return redirect("campaigns:content", made.uuid)
    return _audience_page(request, campaign, form)


def _uuid(word: str | None) -> UUID | None:
    try:
        return UUID(word or "")
    except ValueError:
        return None


@require_role(MARKETER)
@_or_report
def audience(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Step 1: who gets it, and who is held back."""
    campaign = _draft(uuid)
    form = AudienceForm(request.POST or None, initial=audience_initial(campaign))
    if _stored(request, form, partial(services.set_audience, campaign)):
        return redirect("campaigns:content", campaign.uuid)
    return _audience_page(request, campaign, form)


def _stored(request: UserRequest, form: AudienceForm, store: Callable[..., Campaign]) -> Campaign | None:
    """Store an audience that was sent off; None where there is none, or the form says what is wrong with it."""
    if request.method != "POST" or not form.is_valid():
        return None
    try:
        return store(**form.cleaned_data, by=request.user)
    except InputError as error:
        form.add_error("segment", str(error))
        return None


def _audience_page(request: UserRequest, campaign: Campaign, form: AudienceForm) -> HttpResponse:
    segments = Segment.objects.order_by("name")
    context = {"form": form, "segments": segments, "fall": _fall(campaign), "chosen": form["segment"].value()}
    return _page(request, "audience", campaign, 422 if form.errors else 200, **context)


def _fall(campaign: Campaign) -> dict[str, Any]:
    """Return the fall from segment to recipients for components/audience_fall.html."""
    return _fall_rows(campaign, planning.audience_fall(campaign))


def _fall_rows(campaign: Campaign, fall: planning.Fall) -> dict[str, Any]:
    start = _("In your segment") if campaign.segment else _("All shoppers")
    steps = [{"label": start, "count": fall.total, "kind": "start"}]
    steps += [{"label": label, "count": count, "kind": "out"} for _key, label, count in fall.reasons]
    steps.append({"label": _("Held back to measure lift"), "count": fall.held_back, "kind": "held"})
    steps.append({"label": _("Will get this email"), "count": fall.recipients, "kind": "end"})
    return {
        "steps": steps,
        "total": fall.total,
        "recipients": fall.recipients,
        "held_back": fall.held_back,
        "seconds": f"{fall.seconds:.2f}",
    }


@require_role(MARKETER)
def audience_count(request: UserRequest) -> HttpResponse:
    """Answer with the fall for what is chosen at the moment, stored or not."""
    form = AudienceForm(QueryDict(request.GET.urlencode()))
    form.is_valid()
    segment, share = form.cleaned_data.get("segment"), form.cleaned_data.get("control_share") or 0.0
    campaign = Campaign(segment=segment, control_share=share)
    return render(request, "campaigns/_fall.html", {"fall": _fall(campaign), "campaign": campaign, "swapped": True})


@require_role(MARKETER)
@_or_report
def content_step(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Step 2: what it says, beside a preview as a real shopper."""
    campaign = _draft(uuid)
    variant = campaign.variants.first()
    if request.method == "POST":
        template = request.POST.get("starter", "")
        mjml = _starter(template) or request.POST.get("mjml", "")
        form = ContentForm({"mjml": mjml})
        # A ready-made email is chosen by a form of its own, which says nothing of the picks.
        picks = PicksForm(request.POST if "picks" in request.POST else None, campaign=campaign)
        if form.is_valid() and (not picks.is_bound or picks.is_valid()):
            filters = picks.cleaned_data["filters"] if picks.is_bound else None
            services.set_content(
                campaign, form.cleaned_data["mjml"], template=template if _starter(template) else "",
                filters=filters, by=request.user,
            )  # fmt: skip
            stay = "starter" in request.POST or "save" in request.POST
            return redirect(
                "campaigns:content" if stay or checks.content_faults(campaign) else "campaigns:subject", uuid
            )
    else:
        form = ContentForm({"mjml": variant.mjml if variant else ""})
        picks = PicksForm(campaign=campaign)
    context = {
        "form": form,
        "picks": picks,
        "wishes": wishes.words(campaign),
        "fitting": wishes.fitting(wishes.filters_of(campaign)),
        "n_picks": checks.n_picks(variant) if variant else 0,
        "written": bool(variant and variant.mjml.strip()),
        "starters": content.STARTERS,
        "fields": [f"{{{{ {name} }}}}" for name in content.FIELDS] + ['<mai-picks count="3" />'],
        "faults": checks.content_faults(campaign) if variant and variant.mjml else [],
        "preview": _preview_frame(campaign, _number(request)),
    }
    return _page(request, "content", campaign, 422 if form.errors or picks.errors else 200, **context)


def _starter(key: str | None) -> str:
    return next((starter.mjml for starter in content.STARTERS if starter.key == key), "")


def _number(request: UserRequest) -> int:
    return _whole(request.GET.get("as"), 0)


def _whole(word: str | None, otherwise: int) -> int:
    """Read a number that a browser sent; nonsense becomes ``otherwise``."""
    return int(word) if word and word.isascii() and word.isdecimal() and len(word) < 7 else otherwise


def _preview_frame(campaign: Campaign, number: int) -> dict[str, Any] | None:
    """Return what components/email_preview.html needs, or None when there is nothing to show."""
    found = queries.sample(campaign, number)
    if found is None or checks.content_faults(campaign):
        return None
    here = reverse("campaigns:content", args=[campaign.uuid])
    profile = getattr(found.shopper, "profile", None)
    return {
        "url": reverse("campaigns:preview", args=[campaign.uuid, found.number]),
        "label": f"{found.shopper.pseudonym}, {profile.get_stage_display()}" if profile else found.shopper.pseudonym,
        "previous_url": f"{here}?as={(found.number - 1) % found.total}",
        "next_url": f"{here}?as={(found.number + 1) % found.total}",
    }


@require_role(MARKETER)
@_or_report
def subject(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Step 3: one to three subjects with their previews."""
    campaign = _draft(uuid)
    rows = list(campaign.variants.values("subject", "preheader"))
    if request.method == "POST":
        forms = SubjectForms(request.POST)
        if "add" in request.POST or "remove" in request.POST:
            forms = SubjectForms(initial=_changed_rows(request.POST))
        elif forms.is_valid():
            services.set_subjects(campaign, forms.cleaned_data, by=request.user)
            return redirect("campaigns:timing", uuid)
    else:
        forms = SubjectForms(initial=rows)
    context = {"forms": forms, "fields": _subject_fields(), "inbox": _inbox_rows(campaign)}
    return _page(request, "subject", campaign, 422 if forms.is_bound and not forms.is_valid() else 200, **context)


def _subject_fields() -> list[str]:
    """Return what fits into a subject, with a fallback where a shopper may have no value."""
    fallbacks = {"first_name": _("there"), "favourite_category": _("good things")}
    return [f"{{{{ {name}|{text} }}}}" for name, text in fallbacks.items()] + ["{{ shop_name }}"]


def _changed_rows(post: Any) -> list[dict[str, str]]:
    """Return the rows as typed, with one more or one less; nothing is stored yet."""
    n = _whole(post.get("form-TOTAL_FORMS"), 1)
    fields = ("subject", "preheader")
    rows = [{field: post.get(f"form-{row}-{field}", "") for field in fields} for row in range(min(n, 3))]
    if "add" in post:
        return [*rows, {"subject": "", "preheader": ""}][:3]
    gone = _whole(post["remove"], -1)
    return [row for number, row in enumerate(rows) if number != gone] or rows[:1]


def _inbox_rows(campaign: Campaign) -> list[dict[str, str]]:
    """Return each stored subject as a real shopper sees it in her inbox."""
    found = queries.sample(campaign, 0)
    if found is None:
        return []
    return [
        {"label": variant.label, "subject": line[0], "preheader": line[1]}
        for variant in campaign.variants.all()
        if variant.subject and (line := checks.inbox_line(variant, found.shopper))
    ]


@require_role(MARKETER)
@_or_report
def timing(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Step 4: by which sender, and when."""
    campaign = _draft(uuid)
    zone = Shop.current().zone
    local = campaign.send_at.astimezone(zone) if campaign.send_at else None
    initial = {
        "sender": campaign.sender_id or Sender.objects.filter(is_default=True).values_list("pk", flat=True).first(),
        "when": "at" if local else "now",
        "date": local.date().isoformat() if local else "",
        "time": local.strftime("%H:%M") if local else "",
    }
    form = TimingForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        services.set_timing(campaign, sender=data["sender"], send_at=data["send_at"], by=request.user)
        return redirect("campaigns:review", uuid)
    context = {
        "form": form,
        "zone": zone.key,
        "has_sender": Sender.objects.exists(),
    }
    return _page(request, "timing", campaign, 422 if form.errors else 200, **context)


@require_role(MARKETER)
def review(request: UserRequest, uuid: UUID, form: TestMailForm | None = None, status: int = 200) -> HttpResponse:
    """Step 5: checks, three previews, a test mail, and off it goes."""
    campaign = _draft(uuid)
    fall = planning.audience_fall(campaign)
    rows, variants = checks.review(campaign, fall), list(campaign.variants.all())
    shown = [] if checks.content_faults(campaign) else queries.first_shoppers(campaign, N_PREVIEWS)
    previews = [
        {"url": reverse("campaigns:preview", args=[campaign.uuid, number]), "label": shopper.pseudonym}
        for number, shopper in enumerate(shown)
    ]
    context = {
        "checks": rows,
        "n_passed": sum(row["state"] == "ok" for row in rows),
        "n_open": sum(row["state"] == "warn" for row in rows),
        "blocked": any(row["state"] == "bad" for row in rows),
        "fall": _fall_rows(campaign, fall),
        "previews": previews,
        "variants": variants,
        "written": bool(variants and variants[0].mjml.strip()),
        "n_picks": checks.n_picks(variants[0]) if variants else 0,
        "wishes": wishes.words(campaign),
        "test_form": form or TestMailForm(initial={"to": request.user.email}),
        "zone": Shop.current().timezone,
    }
    return _page(request, "review", campaign, status, **context)


def _tests_text(n: int, address: str) -> str:
    text = ngettext(
        "A test is on its way to %(address)s.", "%(n)s tests, one a subject, are on their way to %(address)s.", n
    )
    return text % {"n": n, "address": address}


@require_role(MARKETER)
@require_POST
def send_test(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Send a mail with each subject to a colleague."""
    campaign, form = _draft(uuid), TestMailForm(request.POST)
    if not form.is_valid():
        return review(request, uuid, form=form, status=422)
    found, variants = queries.sample(campaign, 0), list(campaign.variants.all())
    faults = checks.content_faults(campaign)
    try:
        if faults or found is None or not variants:
            raise InputError(faults[0].text if faults else _("There is no shopper to render it for."))
        for variant in variants:
            delivery.send_test(campaign, variant, found.shopper, to=form.cleaned_data["to"], by=request.user)
        messages.success(request, _tests_text(len(variants), form.cleaned_data["to"]))
    except (DeliveryError, InputError) as error:
        messages.error(request, str(error))
    return redirect("campaigns:review", uuid)


@require_role(MARKETER)
@require_POST
@_or_report
def release(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Send it on its way: now, or at the time that was chosen."""
    campaign = services.draft_of(_draft(uuid))
    try:
        if campaign.sender and (error := senders.check_sender(campaign.sender)):
            raise InputError(error)
        if checks.is_late(campaign):
            raise InputError(checks.late_text())
        send_at = campaign.send_at or timezone.now()
        planning.schedule(campaign, send_at=send_at, by=request.user)
    except InputError as error:
        messages.error(request, str(error))
        return redirect("campaigns:review", uuid)
    if send_at <= timezone.now():
        tasks.plan.delay_on_commit(campaign.pk)
    return redirect("analytics:report", uuid)
