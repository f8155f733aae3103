"""What the browser asks of the list of products."""

from django import forms
from django.utils.translation import gettext_lazy as _

from behaviour.catalogue import SORTS, Filters

SHOW = [
    ("", _("All products")),
    ("in_stock", _("In stock")),
    ("out_of_stock", _("Out of stock")),
    ("inactive", _("Switched off")),
    ("unknown", _("Not in the catalogue yet")),
    ("picture", _("Picture missing or broken")),
]


class ProductFilterForm(forms.Form):
    """Filters of the list, all in the address; what makes no sense is ignored."""

    q = forms.CharField(required=False, max_length=100)
    show = forms.ChoiceField(required=False, choices=SHOW)
    sort = forms.ChoiceField(required=False, choices=[(key, key) for key in SORTS])

    def filters(self) -> Filters:
        """Return the filters that are valid."""
        self.is_valid()
        given = self.cleaned_data
        return Filters(words=given.get("q", ""), show=given.get("show", ""), sort=given.get("sort") or "newest")
