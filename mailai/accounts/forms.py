"""What a browser may send about people."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailai.accounts.models import Invitation, User
from mailai.accounts.roles import ROLES

ROLE_FIELDS = [f"is_{role}" for role in ROLES]


class RolesForm(forms.ModelForm):
    """Roles combine, but nobody is left without one."""

    class Meta:
        model = User
        fields = ROLE_FIELDS

    def clean(self) -> dict[str, Any]:
        """Ask for at least one role."""
        data = super().clean() or {}
        if not any(data.get(field) for field in ROLE_FIELDS):
            raise ValidationError(_("Choose at least one role. To lock somebody out, deactivate the account."))
        return data


class InviteForm(RolesForm):
    """Whom to invite, and as what."""

    class Meta:
        model = Invitation
        fields = ["email", *ROLE_FIELDS]

    def clean_email(self) -> str:
        """Refuse an address that can log in already."""
        email = self.cleaned_data["email"].lower()
        if User.objects.filter(email=email).exists():
            raise ValidationError(_("This person has an account already."))
        return email


class AcceptForm(forms.Form):
    """Name and password of somebody who follows an invitation."""

    name = forms.CharField(label=_("Your name"), max_length=120)
    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        """Check the password against the rules and the person."""
        data = super().clean() or {}
        if data.get("password"):
            try:
                validate_password(data["password"], User(email=self.email, name=data.get("name", "")))
            except ValidationError as error:
                self.add_error("password", error)
        return data


class ProfileForm(forms.ModelForm):
    """One's own name."""

    class Meta:
        model = User
        fields = ["name"]
