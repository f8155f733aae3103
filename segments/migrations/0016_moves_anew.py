"""A run of before has stages but no RFM groups: forget it, within ten minutes both are worked out from the orders."""

from django.db import migrations


def forget(apps, schema_editor):
    apps.get_model("segments", "StageHistory").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("segments", "0015_rfm_moves")]
    operations = [migrations.RunPython(forget, migrations.RunPython.noop)]
