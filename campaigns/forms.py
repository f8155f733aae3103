"""What the composer's pages and the sender page may send."""

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from behaviour.models import Shop
from campaigns.content import FIELDS
from campaigns.core import language
from campaigns.models import Campaign, Sender
from segments.models import Segment

SHARES = [("0.0", _("Off")), ("0.05", "5%"), ("0.1", "10%"), ("0.2", "20%")]


class AudienceForm(forms.Form):
    """Step 1."""

    name = forms.CharField(label=_("Name of the campaign"), max_length=120)
    segment = forms.ModelChoiceField(
        label=_("Send to"), queryset=Segment.objects.all(), required=False, empty_label=_("All shoppers")
    )
    control_share = forms.TypedChoiceField(label=_("Control group"), choices=SHARES, coerce=float)


class ContentForm(forms.Form):
    """Step 2."""

    mjml = forms.CharField(label=_("Content (MJML)"), required=False, strip=False, max_length=300_000)


class SubjectForm(forms.Form):
    """One row of step 3."""

    subject = forms.CharField(label=_("Subject"), max_length=300)
    preheader = forms.CharField(label=_("Preview text"), max_length=300, required=False)

    def clean_subject(self) -> str:
        """Refuse fields that do not exist."""
        return _checked(self.cleaned_data["subject"])

    def clean_preheader(self) -> str:
        """Refuse fields that do not exist."""
        return _checked(self.cleaned_data["preheader"])


def _checked(text: str) -> str:
    for fault in language.faults(text, FIELDS):
        if fault.near:
            hint = {"name": fault.name, "near": fault.near}
            raise ValidationError(_("There is no merge field “%(name)s”. Did you mean “%(near)s”?") % hint)
        raise ValidationError(_("These braces are no merge field. Write for example {{ first_name|there }}."))
    return text


class TimingForm(forms.Form):
    """Step 4. Times are the shop's local times."""

    sender = forms.ModelChoiceField(
        label=_("Sender"), queryset=Sender.objects.order_by("-is_default", "name"),
        error_messages={"required": _("Choose who it is from. An admin adds connections under Admin, Sending.")},
    )  # fmt: skip
    when = forms.ChoiceField(choices=[("now", _("As soon as I release it")), ("at", _("At a set time"))])
    date = forms.DateField(label=_("Day"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    time = forms.TimeField(label=_("Time"), required=False, widget=forms.TimeInput(attrs={"type": "time"}))

    @property
    def when_is_now(self) -> bool:
        """Which card is chosen."""
        return not self.when_is_at

    @property
    def when_is_at(self) -> bool:
        """Which card is chosen."""
        return self["when"].value() == "at"

    def clean(self) -> dict[str, Any]:
        """Turn day and time into one moment in the shop's zone; a past one is refused."""
        data = super().clean() or {}
        data["send_at"] = None
        if data.get("when") != "at":
            return data
        if not data.get("date") or not data.get("time"):
            raise ValidationError(_("Choose a day and a time, or send as soon as you release it."))
        data["send_at"] = datetime.combine(data["date"], data["time"], Shop.current().zone)
        if data["send_at"] <= timezone.now():
            raise ValidationError(_("This time has passed. Choose a later one, or send as soon as you release it."))
        return data


class TestMailForm(forms.Form):
    """Where a test goes."""

    to = forms.EmailField(label=_("Send a test to"))


class SenderForm(forms.ModelForm):
    """An SMTP connection. The password is written, never shown; left empty, the stored one stays."""

    password = forms.CharField(
        label=_("Password"), required=False, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Stored encrypted and never shown. Leave empty to keep the one that is stored."),
    )  # fmt: skip
    port = forms.IntegerField(label=_("Port"), min_value=1, max_value=65_535)
    security = forms.ChoiceField(
        label=_("Security"),
        choices=[("starttls", "STARTTLS"), ("tls", "TLS"), ("none", _("None (only on this machine)"))],
    )

    class Meta:
        model = Sender
        fields = [
            "name", "from_name", "from_email", "reply_to", "host", "port", "security", "username", "password",
            "hourly_limit",
        ]  # fmt: skip
        labels = {
            "name": _("Name"),
            "from_name": _("Sender name"),
            "from_email": _("Sender address"),
            "reply_to": _("Replies go to"),
            "host": _("Server"),
            "username": _("User name"),
            "hourly_limit": _("At most per hour"),
        }
        help_texts = {"hourly_limit": _("0 = as fast as it goes.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["host"].required = True

    def clean_host(self) -> str:
        """An SMTP connection needs a server."""
        if not self.cleaned_data["host"].strip():
            raise ValidationError(_("Write the name of the mail server, for example smtp.shop.example."))
        return self.cleaned_data["host"].strip()

    def clean(self) -> dict[str, Any]:
        """Keep the stored password when none is typed."""
        data = super().clean() or {}
        if not data.get("password") and self.instance.pk:
            data["password"] = self.instance.password
        return data

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        self.instance.kind = Sender.Kind.SMTP


def audience_initial(campaign: Campaign) -> dict[str, Any]:
    """Return what the audience form shows of a campaign."""
    shares = [float(value) for value, _label in SHARES]
    nearest = min(shares, key=lambda share: abs(share - campaign.control_share))
    return {"name": campaign.name, "segment": campaign.segment_id, "control_share": str(nearest)}
