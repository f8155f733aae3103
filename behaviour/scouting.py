"""The look over a whole file that comes before its check and its import; kept, so that both judge alike."""

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from behaviour.ahead import one_ahead
from behaviour.core.scouting import Scout
from behaviour.core.typed import Reading
from behaviour.models import Upload
from behaviour.tables import open_table, reading_of


def scout(upload: Upload, beat: Callable[[], None] | None = None) -> Reading:
    """Return how the cells are to be understood, with what the whole file tells; it is read only if nobody did yet.

    ``beat`` is called after each block, so that others see that somebody is at work.
    """
    reading = reading_of(upload)
    found = upload.cleaning.get("found", {})
    if found.get("of") == _settings(upload):
        return reading
    with open_table(upload) as table:
        looker = Scout(table.match, reading)
        for block in one_ahead(table.blocks()) if looker.needs_more else ():
            looker.add(block)
            if beat:
                beat()
            if not looker.needs_more:
                break
    result = looker.finish()
    upload.cleaning = upload.cleaning | {"found": result.stored() | {"of": _settings(upload)}}
    Upload.objects.filter(pk=upload.pk).update(cleaning=upload.cleaning)
    return replace(reading, found=result)


def _settings(upload: Upload) -> str:
    """Return what the look depends on, in short."""
    chosen = {name: value for name, value in upload.cleaning.items() if name != "found"}
    return sha256(json.dumps([upload.mapping, chosen], sort_keys=True, default=str).encode()).hexdigest()[:16]
