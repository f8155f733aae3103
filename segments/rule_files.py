"""Rules in files, as commands get them."""

import json
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from mailai.errors import InputError


def read(path: str) -> Any:
    """Return the JSON of a file; InputError when it can't be read or is none."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            _("The file %(path)s can't be read: %(why)s.") % {"path": path, "why": error.strerror}
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(_("The file %(path)s is not JSON. See docs/segments.md.") % {"path": path}) from error
