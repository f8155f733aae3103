"""manage.py upload_undo ID"""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from behaviour.models import Upload
from behaviour.removal import undo_upload
from mailai.commands import JsonCommand
from mailai.errors import InputError


class Command(JsonCommand):
    help = "Takes out what an upload brought: events, and shoppers and products that stand on nothing else."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int)

    def run(self, *args: Any, **options: Any) -> dict[str, Any]:
        upload = Upload.objects.filter(pk=options["id"]).first()
        if upload is None:
            raise InputError(_("There is no upload %(id)s.") % {"id": options["id"]})
        return {"upload": upload.pk, **undo_upload(upload)}
