import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("behaviour", "0011_survey_answers"),
        ("segments", "0010_shopper_lists"),
    ]

    operations = [
        migrations.AlterField(
            model_name="profile",
            name="cluster",
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="profile",
            name="favourite_category",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AlterField(
            model_name="profile",
            name="last_event_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="profile",
            name="last_order_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="profile",
            name="monetary",
            field=models.DecimalField(decimal_places=2, default=0, max_digits=14),
        ),
        migrations.AlterField(
            model_name="profile",
            name="n_orders",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="profile",
            name="shopper",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                primary_key=True,
                related_name="profile",
                serialize=False,
                to="behaviour.shopper",
            ),
        ),
        migrations.AlterField(
            model_name="profile",
            name="stage",
            field=models.CharField(
                choices=[
                    ("lead", "Lead"),
                    ("new", "New"),
                    ("promising", "Promising"),
                    ("loyal", "Loyal"),
                    ("at_risk", "At risk"),
                    ("dormant", "Dormant"),
                ],
                default="lead",
                max_length=10,
            ),
        ),
        migrations.AddIndex(
            model_name="profile",
            index=models.Index(fields=["last_order_at"], name="profile_last_order_at"),
        ),
        migrations.AddIndex(
            model_name="profile",
            index=models.Index(fields=["last_event_at"], name="profile_last_event_at"),
        ),
        migrations.AddIndex(
            model_name="profile",
            index=models.Index(fields=["n_orders"], name="profile_n_orders"),
        ),
        migrations.AddIndex(
            model_name="profile",
            index=models.Index(fields=["monetary"], name="profile_monetary"),
        ),
        migrations.AddIndex(
            model_name="profile",
            index=models.Index(fields=["stage"], name="profile_stage"),
        ),
        migrations.AddIndex(
            model_name="profile",
            index=models.Index(fields=["favourite_category"], name="profile_favourite_category"),
        ),
        migrations.AddIndex(
            model_name="profile",
            index=models.Index(fields=["cluster"], name="profile_cluster"),
        ),
    ]
