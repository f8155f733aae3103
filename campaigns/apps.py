from django.apps import AppConfig

from segments import mails


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        """Tell the apps below which mails shoppers got."""
        # Models can be imported only now.
        from campaigns.sent import SentMails

        mails.register("campaigns", SentMails())
