"""Let the keys of events that came in files begin with their time, as behaviour.core.keys makes them now."""

from typing import Any

from django.db import migrations

BATCH = 50_000
SET = {
    "postgresql": """UPDATE behaviour_event SET dedupe_key =
        (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0')
         || left(replace(dedupe_key::text, '-', ''), 20))::uuid""",
    "sqlite": """UPDATE behaviour_event SET dedupe_key =
        printf('%%012x', CAST(strftime('%%s', at) AS INTEGER) * 1000
               + CAST(substr(substr(at, 21) || '000', 1, 3) AS INTEGER)) || substr(dedupe_key, 1, 20)""",
}


def rekey(apps: Any, editor: Any) -> None:
    """Rewrite keys of content in batches; rows whose file gave keys of its own keep theirs."""
    upload = apps.get_model("behaviour", "Upload")
    files = upload.objects.filter(first_event__isnull=False, demo=False)
    with editor.connection.cursor() as cursor:
        for one in files:
            if "dedupe_key" in one.mapping.get("columns", {}):
                continue
            for start in range(one.first_event, one.last_event + 1, BATCH):
                where = " WHERE upload_id = %s AND at >= '1990-01-01' AND id BETWEEN %s AND %s"
                last = min(start + BATCH - 1, one.last_event)
                cursor.execute(SET[editor.connection.vendor] + where, [one.pk, start, last])


class Migration(migrations.Migration):
    dependencies = [("behaviour", "0005_lean_events")]
    operations = [migrations.RunPython(rekey, migrations.RunPython.noop)]
