from django.apps import AppConfig

from recommender import shown


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        """Tell the rooms below where sent mails and what they showed are kept, and which campaigns wait for a rule."""
        # Models can only be imported once all apps are loaded.
        from campaigns.picking import shown_products
        from campaigns.real_picks import told
        from campaigns.sent_mails import SentMails, waiting
        from recommender import outcomes
        from segments import mails, usage

        mails.register(SentMails())
        usage.register(waiting)
        shown.register(shown_products)
        outcomes.register(told)
