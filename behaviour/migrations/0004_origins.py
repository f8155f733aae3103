"""Fill in what 0003 added: the id range of each upload's events, and which products no catalogue ever named."""

from typing import Any

from django.db import migrations
from django.db.models import Max, Min


def fill(apps: Any, _editor: Any) -> None:
    """Read each upload's events once, and mark products that only event files brought."""
    event, upload, product = (apps.get_model("behaviour", name) for name in ("Event", "Upload", "Product"))
    ranges = event.objects.filter(upload__isnull=False).order_by().values("upload_id")
    for row in ranges.annotate(first=Min("pk"), last=Max("pk")):
        upload.objects.filter(pk=row["upload_id"]).update(first_event=row["first"], last_event=row["last"])
    product.objects.filter(upload__kind__in=["events", "orders"], demo=False).update(in_catalogue=False)


class Migration(migrations.Migration):
    dependencies = [("behaviour", "0003_any_file")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
