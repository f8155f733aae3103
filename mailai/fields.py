"""Model field that is encrypted in the database and plain text in Python."""

from typing import Any

from django.db import models

from mailai import crypto


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text that is stored as AES-GCM bound to its table, column and row.

    The model needs a ``uuid`` field with a Python default, because the row is part of what is authenticated.
    A value is decrypted when it is first read on an instance; ``values()`` returns the ciphertext.
    """

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, name, _DecryptOnRead(self))

    def context(self, instance: Any) -> str:
        """Return what a value of this row is bound to."""
        return f"{instance._meta.db_table}.{self.column}:{instance.uuid}"

    def pre_save(self, instance: Any, add: bool) -> "_Sealed":
        value = instance.__dict__.get(self.attname)
        if isinstance(value, _Sealed):
            return value
        return _Sealed(crypto.encrypt(value, self.context(instance)) if value else "")

    def get_prep_value(self, value: Any) -> Any:
        """Let only ciphertext through: ``update()`` and ``bulk_update()`` skip pre_save and would store plain text."""
        if isinstance(value, _Sealed):
            return value.token
        if value:
            raise TypeError(
                f"{self.name} is encrypted: write it by save() or bulk_create(), not by update() or a filter."
            )
        return value

    def from_db_value(self, value: str, *_: Any) -> "_Sealed | str":
        return _Sealed(value) if value else ""


class _Sealed:
    """A ciphertext that was loaded and not yet read."""

    def __init__(self, token: str) -> None:
        self.token = token


class _DecryptOnRead:
    def __init__(self, field: EncryptedTextField) -> None:
        self.field = field

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        name = self.field.attname
        if name not in instance.__dict__:
            instance.refresh_from_db(fields=[name])
        value = instance.__dict__[name]
        if isinstance(value, _Sealed):
            value = crypto.decrypt(value.token, self.field.context(instance))
            instance.__dict__[name] = value
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value
