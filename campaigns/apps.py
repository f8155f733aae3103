from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        """Tell segments where sent mails are kept, and which campaigns wait to ask a rule."""
        # Models can only be imported once all apps are loaded.
        from campaigns.sent_mails import SentMails, waiting
        from segments import mails, usage

        mails.register(SentMails())
        usage.register(waiting)
