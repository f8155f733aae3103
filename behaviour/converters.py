"""Parts of addresses."""

from django.urls import register_converter

PSEUDONYM = "<pseudonym:pseudonym>"


class PseudonymConverter:
    """A shopper's pseudonym: letters, digits and a dash; everything else leads nowhere."""

    regex = "[A-Za-z0-9-]{1,16}"

    def to_python(self, value: str) -> str:
        """Return the text as it stands in the address."""
        return value

    def to_url(self, value: str) -> str:
        """Return the text for the address."""
        return value


register_converter(PseudonymConverter, "pseudonym")
