"""What the audit log says was done, in words. A test finds an action that has none."""

from django.utils.translation import gettext_lazy as _

LABELS = {
    "accounts:profile": _("Changed the own profile"),
    "account_login": _("Logged in"),
    "account_logout": _("Logged out"),
    "account_change_password": _("Changed the own password"),
    "account_reset_password": _("Asked for a new password"),
    "audit.export": _("Exported the audit log"),
    "campaign.audience": _("Chose the audience"),
    "campaign.cancel": _("Cancelled a campaign"),
    "campaign.content": _("Changed the content"),
    "campaign.create": _("Made a campaign"),
    "campaign.delete": _("Deleted a draft"),
    "campaign.pause": _("Paused a campaign"),
    "campaign.resume": _("Resumed a campaign"),
    "campaign.schedule": _("Released a campaign"),
    "campaign.subjects": _("Changed the subjects"),
    "campaign.test": _("Sent a test"),
    "campaign.timing": _("Chose sender and time"),
    "demo.load": _("Loaded the demo shop"),
    "demo.react": _("Let demo shoppers react"),
    "demo.remove": _("Removed the demo shop"),
    "demo.stop_reacting": _("Stopped demo shoppers"),
    "recommender.promote": _("Changed the live model"),
    "recommender.train": _("Asked for a training"),
    "segment.create": _("Made a segment"),
    "segment.change": _("Changed a segment"),
    "segment.delete": _("Deleted a segment"),
    "segment.duplicate": _("Duplicated a segment"),
    "segment.export": _("Exported a segment"),
    "sender.check": _("Checked a connection"),
    "sender.default": _("Chose the default connection"),
    "sender.save": _("Saved a connection"),
    "set_language": _("Changed the language"),
    "shop.change": _("Changed the shop"),
    "shopper.find": _("Looked a shopper up by email"),
    "shopper.reveal": _("Showed personal data"),
    "team.activate": _("Let somebody in again"),
    "team.deactivate": _("Locked somebody out"),
    "team.invite": _("Invited somebody"),
    "team.join": _("Joined by invitation"),
    "team.roles": _("Changed roles"),
    "team.withdraw_invitation": _("Withdrew an invitation"),
    "upload.cancel": _("Dropped an uploaded file"),
    "upload.columns": _("Matched the columns of a file"),
    "upload.queue": _("Started an import"),
    "upload.import": _("Imported a file"),
    "upload.receive": _("Uploaded a file"),
    "upload.undo": _("Undid an upload"),
}


def label(action: str) -> str:
    """Return the words for an action; one that came after them is shown as it is."""
    return str(LABELS.get(action, action))
