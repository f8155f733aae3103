from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        """Tell segments where sent mails are kept."""
        # Models can only be imported once all apps are loaded.
        from campaigns.sent_mails import SentMails
        from segments import mails

        mails.register(SentMails())
