"""What the composer may wish of the picks of a mail."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import wishes
from campaigns.models import Campaign
from mailai.errors import InputError
from mailai.ui import numbers
from recommender.filters import MOST
from segments.builder.choices import Choices

SHARES = (0.0, 0.05, 0.1, 0.2)
MONEY: dict[str, Any] = {"required": False, "min_value": 0, "max_digits": 12, "decimal_places": 2}
WHOLE: dict[str, Any] = {"required": False, "min_value": 0, "max_value": MOST}


class PicksForm(forms.Form):
    """The fold-out below the content. Valid, ``cleaned_data["filters"]`` is what the campaign keeps."""

    prefix = "picks"
    repeats = forms.BooleanField(label=gettext_lazy("Products she bought before may come again"), required=False)
    categories = forms.MultipleChoiceField(label=gettext_lazy("Only these categories"), required=False)
    not_categories = forms.MultipleChoiceField(label=gettext_lazy("Never these categories"), required=False)
    lowest_price = forms.DecimalField(label=gettext_lazy("Lowest price"), **MONEY)
    highest_price = forms.DecimalField(label=gettext_lazy("Highest price"), **MONEY)
    per_category = forms.IntegerField(label=gettext_lazy("At most of one category"), **WHOLE)
    rest_mails = forms.IntegerField(label=gettext_lazy("Not what her last emails showed"), **WHOLE)
    exploration = forms.TypedChoiceField(
        label=gettext_lazy("Share that is tried out"), required=False, coerce=float, empty_value=None
    )

    def __init__(self, data: Any = None, *, campaign: Campaign) -> None:
        given = campaign.filters
        super().__init__(data, initial=dict(given))
        known = [path for path, _label in Choices().categories]
        for name in ("categories", "not_categories"):
            # What the catalogue does not know any more is still wished, and can be taken back.
            gone = [path for path in given.get(name, ()) if path not in known]
            self.fields[name].choices = [(path, path) for path in [*known, *gone]]  # type: ignore[attr-defined]
        shares = sorted({*SHARES, *([given[wishes.EXPLORATION]] if wishes.EXPLORATION in given else [])})
        usual = _("As everywhere: %(share)s") % {"share": numbers.percent(wishes.default_share())}
        choices = [("", usual), *((str(share), numbers.percent(share)) for share in shares)]
        self.fields["exploration"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Put the wishes together; prices that leave nothing are refused at the higher one."""
        data = super().clean() or {}
        given = {name: value for name, value in data.items() if value not in (None, "")}
        try:
            data["filters"] = wishes.kept(given)
        except InputError as error:
            raise ValidationError({"highest_price": str(error)}) from None
        return data
