"""What browsers send to the pages of this app."""

from django import forms
from django.utils.translation import gettext_lazy as _

from analytics.people import SORTS, Filters
from behaviour.models import Product
from segments.models import Profile, Segment, ShopperList
from segments.name_rules import NAME_LENGTH

MIN_REASON = 5


class ShopperFilterForm(forms.Form):
    """Filters of the list of shoppers, all in the address; what makes no sense is ignored."""

    q = forms.CharField(required=False, max_length=16)
    stage = forms.ChoiceField(required=False, choices=[("", _("All stages")), *Profile.Stage.choices])
    segment = forms.ModelChoiceField(Segment.objects.all(), required=False, to_field_name="uuid")
    product = forms.ModelChoiceField(Product.objects.all(), required=False, to_field_name="sku")
    sort = forms.ChoiceField(required=False, choices=[(key, key) for key in SORTS])

    def filters(self) -> Filters:
        """Return the filters that are valid."""
        self.is_valid()
        given = self.cleaned_data
        return Filters(
            pseudonym=given.get("q", ""),
            stage=given.get("stage", ""),
            segment=given.get("segment"),
            product=given.get("product"),
            sort=given.get("sort") or "last",
        )


class FindForm(forms.Form):
    """Who to look for: an exact email address, id in the shop or pseudonym."""

    who = forms.CharField(label=_("Email address, id in the shop or pseudonym"), max_length=254)


class RevealForm(forms.Form):
    """Why somebody needs to see personal data; the reason goes to the audit log."""

    reason = forms.CharField(
        label=_("Why do you need it?"),
        max_length=300,
        min_length=MIN_REASON,
        error_messages={
            "required": _("Write in a few words why you need it, for example “she called about her order”."),
            "min_length": _("Write in a few words why you need it, for example “she called about her order”."),
        },
    )


class ListForm(forms.Form):
    """Onto which list a shopper is put: one that there is, or a new one by its name."""

    list = forms.ModelChoiceField(
        ShopperList.ready().filter(source=ShopperList.Source.UPLOADED),
        label=_("List"),
        required=False,
        to_field_name="uuid",
        empty_label=_("A new list"),
        error_messages={"invalid_choice": _("This list is gone, or is a frozen segment. Choose one of these.")},
    )
    name = forms.CharField(label=_("Name of the new list"), required=False, max_length=NAME_LENGTH)
