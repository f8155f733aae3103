"""Typed readers of the environment that refuse nonsense instead of guessing."""

import os
from pathlib import Path

from mailai.errors import SettingError

TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"0", "false", "no", "off", ""}


def text(name: str, default: str | None = None) -> str:
    """Return the variable; without a default it must be set."""
    value = os.environ.get(name, default)
    if value is None:
        raise SettingError(f"{name} is not set. `make run` writes it once; in production set it yourself.")
    return value


def flag(name: str) -> bool:
    """Return a yes/no variable, no where it is missing. django-environ takes unknown words as no, this refuses them."""
    word = os.environ.get(name, "0").strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise SettingError(f"{name}={word!r} is neither yes nor no. Use 1 or 0.")


def integer(name: str, default: int, *, low: int, high: int) -> int:
    """Return a whole number within low..high."""
    word = os.environ.get(name, str(default))
    try:
        number = int(word)
    except ValueError:
        raise SettingError(f"{name}={word!r} is not a whole number.") from None
    if not low <= number <= high:
        raise SettingError(f"{name}={number} is outside {low} to {high}.")
    return number


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated list without empty entries."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def path(name: str, default: Path) -> Path:
    """Return a folder as an absolute path."""
    return Path(os.environ.get(name, default)).expanduser().resolve()


def url(name: str, default: str) -> str:
    """Return an http(s) address without a trailing slash."""
    value = os.environ.get(name, default).rstrip("/")
    if not value.startswith(("http://", "https://")):
        raise SettingError(f"{name}={value!r} must begin with http:// or https://.")
    return value


def secret(name: str, folder: Path, *, production: bool) -> str:
    """Return a secret from the environment, else from the file that `manage.py init_keys` wrote.

    Raises
    ------
    SettingError : neither is there and this is production.
    """
    value = os.environ.get(name)
    if value:
        return value
    file = folder / "keys" / name
    if file.exists():
        return file.read_text().strip()
    if production:
        raise SettingError(f"{name} is not set. Production does not start without it; see docs/settings.md.")
    return ""
