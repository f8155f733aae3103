"""Halve what an import writes: the index of a shopper's events holds no time any more."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("behaviour", "0006_timed_keys")]
    operations = [
        migrations.RemoveIndex(model_name="event", name="event_shopper_at"),
        migrations.AddIndex(model_name="event", index=models.Index(fields=["shopper"], name="event_shopper")),
    ]
