"""The page of the shop itself: name, money, time, address, limits."""

import zoneinfo
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from behaviour.models import Shop
from mailai.accounts import audit
from mailai.accounts.roles import ADMIN, UserRequest, require_role


class ShopForm(forms.ModelForm):
    """What pages and mails say about the shop."""

    url = forms.URLField(
        label=gettext_lazy("Address of the shop on the web"), required=False, assume_scheme="https", max_length=200
    )

    class Meta:
        model = Shop
        fields = ["name", "postal_address", "url", "currency", "timezone", "attribution_days", "frequency_cap"]
        labels = {
            "name": gettext_lazy("Name of the shop"),
            "postal_address": gettext_lazy("Postal address"),
            "currency": gettext_lazy("Currency"),
            "timezone": gettext_lazy("Time zone"),
            "attribution_days": gettext_lazy("Days in which an order counts for a click"),
            "frequency_cap": gettext_lazy("At most so many emails to one shopper in seven days"),
        }
        help_texts = {
            "postal_address": gettext_lazy("Stands in the footer of every email; the law asks for it."),
            "currency": gettext_lazy("Three letters, such as GBP or EUR."),
            "timezone": gettext_lazy("Such as Europe/London. Upload times without a zone are read in it."),
            "frequency_cap": gettext_lazy("0 = no limit."),
        }

    def clean_currency(self) -> str:
        """Take a currency code."""
        code = self.cleaned_data["currency"].strip().upper()
        if len(code) != 3 or not code.isalpha():
            raise ValidationError(_("Write the three letters of the currency, such as GBP."))
        return code

    def clean_timezone(self) -> str:
        """Take a zone that the system knows."""
        name = self.cleaned_data["timezone"].strip()
        if name not in zoneinfo.available_timezones():
            raise ValidationError(_("This is no time zone. Write one such as Europe/London or Asia/Shanghai."))
        return name

    def clean_attribution_days(self) -> Any:
        """A window needs at least a day."""
        days = self.cleaned_data["attribution_days"]
        if not 1 <= days <= 90:
            raise ValidationError(_("Choose between 1 and 90 days."))
        return days


@require_role(ADMIN)
def shop_settings(request: UserRequest) -> HttpResponse:
    """Show and change the shop."""
    form = ShopForm(request.POST or None, instance=Shop.current())
    if request.method == "POST" and form.is_valid():
        shop = form.save()
        audit.record("shop.change", shop, by=request.user, fields=form.changed_data)
        messages.success(request, _("Saved."))
        return redirect("behaviour:shop")
    context = {"nav": "admin", "tab": "shop", "form": form}
    return render(request, "behaviour/shop.html", context, status=422 if form.errors else 200)
