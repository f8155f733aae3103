"""Celery entrances of this app. Each calls one service and can run twice."""

from celery import shared_task

from behaviour import checking, demo, first_load, importing, pictures, removal, uploads
from behaviour.models import Upload
from mailai.accounts.models import User

# Less than the time between two turns (settings.CELERY_BEAT_SCHEDULE): the worker has other things to do.
PICTURE_SECONDS = 120


@shared_task
def remove_demo(by_id: int) -> None:
    """Remove the demo shop, or what is left of it."""
    demo.remove_demo_shop(by=User.objects.filter(pk=by_id).first())


@shared_task
def check_upload(upload_id: int) -> None:
    """Read a received file and note what an import would do."""
    upload = Upload.objects.get(pk=upload_id)
    if upload.state == Upload.State.RECEIVED:
        checking.check_upload(upload)


@shared_task
def import_upload(upload_id: int) -> None:
    """Import an upload, or go on with it. Run twice, it loads nothing twice."""
    importing.import_upload(upload_id)


@shared_task
def remove_rows(upload_id: int) -> None:
    """Delete the rows of a cancelled or undone upload, or what is left of them."""
    removal.remove_rows(upload_id)


@shared_task
def sweep_uploads() -> None:
    """Start again what a dead worker left, and delete files that were kept long enough."""
    for upload_id in uploads.sweep_uploads():
        import_upload.delay(upload_id)
    for upload_id in uploads.sweep_checks():
        check_upload.delay(upload_id)
    for upload_id in removal.left_behind().values_list("pk", flat=True):
        remove_rows.delay(upload_id)
    first_load.mend()


@shared_task
def check_pictures() -> None:
    """Look at the pictures whose turn it is for a while; the next turn goes on."""
    pictures.check_pictures(seconds=PICTURE_SECONDS)
