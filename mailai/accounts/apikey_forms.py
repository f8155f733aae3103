"""What a browser may send about API keys."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mailai.accounts.models import ApiKey

HIGHEST_RATE, USUAL_RATE = 10_000_000, 60_000
NEVER = "0"


class ApiKeyForm(forms.Form):
    """What a new key may do, how much, from where and until when."""

    name = forms.CharField(label=pgettext_lazy("of a thing", "Name"), max_length=80)
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        choices=ApiKey.Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one thing that the key may do.")},
    )
    rate = forms.IntegerField(label=_("Entries a minute"), min_value=1, max_value=HIGHEST_RATE, initial=USUAL_RATE)
    origins = forms.CharField(label=_("Addresses of the shop's pages"), required=False, max_length=1000)
    days = forms.ChoiceField(
        label=_("Works for"),
        choices=[(NEVER, _("Until it is revoked")), ("30", _("30 days")), ("365", _("A year"))],
    )

    def clean_origins(self) -> list[str]:
        """Return addresses as browsers name them: https://shop.example, in lower case, no path."""
        return [_origin(word) for word in self.cleaned_data["origins"].replace(",", " ").split()]

    def clean(self) -> dict[str, Any]:
        """Ask for the pages of a site key, and for nothing else that it may do."""
        data = super().clean() or {}
        scopes = data.get("scopes", [])
        if ApiKey.Scope.BROWSER in scopes:
            if len(scopes) > 1:
                text = _("Everybody can read the key of a page, so it may do nothing else. Make a second key.")
                self.add_error("scopes", text)
            if not data.get("origins") and "origins" not in self.errors:
                text = _("Say from which addresses pages may send events, such as https://shop.example.")
                self.add_error("origins", text)
        return data

    def expires_at(self) -> datetime | None:
        """Return when the key ends."""
        days = int(self.cleaned_data["days"])
        return timezone.now() + timedelta(days=days) if days else None


def _origin(word: str) -> str:
    parts = urlsplit(word)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValidationError(
            _("“%(word)s” is no address of a site. Write it like https://shop.example, without a path."),
            params={"word": word},
        )
    return f"{parts.scheme}://{parts.netloc}".lower()
