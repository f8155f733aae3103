"""The copy of the sample lacks the new columns of predictions: forget it, within a minute it is drawn anew."""

from django.db import migrations


def forget(apps, schema_editor):
    apps.get_model("segments", "Sample").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("segments", "0012_prediction_horizons")]
    operations = [migrations.RunPython(forget, migrations.RunPython.noop)]
