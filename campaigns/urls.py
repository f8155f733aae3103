"""Addresses of this app."""

from django.urls import path

from campaigns import views_composer, views_frames, views_inbox, views_list, views_senders, views_suits
from campaigns.public_urls import urlpatterns as public_patterns

app_name = "campaigns"
urlpatterns = [
    *public_patterns,
    path("campaigns/", views_list.campaign_list, name="list"),
    path("campaigns/new/", views_composer.new, name="new"),
    path("campaigns/count/", views_composer.audience_count, name="count"),
    path("campaigns/<uuid:uuid>/audience/", views_composer.audience, name="audience"),
    path("campaigns/<uuid:uuid>/content/", views_composer.content_step, name="content"),
    path("campaigns/<uuid:uuid>/subject/", views_composer.subject, name="subject"),
    path("campaigns/<uuid:uuid>/timing/", views_composer.timing, name="timing"),
    path("campaigns/<uuid:uuid>/review/", views_composer.review, name="review"),
    path("campaigns/<uuid:uuid>/test/", views_composer.send_test, name="test"),
    path("campaigns/<uuid:uuid>/release/", views_composer.release, name="release"),
    path("campaigns/<uuid:uuid>/suits/", views_suits.card, name="suits"),
    path("campaigns/<uuid:uuid>/keep-likely/", views_suits.keep_likely, name="keep_likely"),
    path("campaigns/<uuid:uuid>/preview/<int:number>/", views_frames.preview, name="preview"),
    path("campaigns/<uuid:uuid>/duplicate/", views_list.duplicate, name="duplicate"),
    path("campaigns/<uuid:uuid>/delete/", views_list.delete, name="delete"),
    path("campaigns/<uuid:uuid>/steer/<slug:action>/", views_list.steer, name="steer"),
    path("settings/sending/", views_senders.sender_list, name="senders"),
    path("settings/sending/new/", views_senders.edit_sender, name="sender_new"),
    path("settings/sending/inbox/", views_senders.add_inbox, name="add_inbox"),
    path("settings/sending/<uuid:uuid>/", views_senders.edit_sender, name="sender"),
    path("settings/sending/<uuid:uuid>/check/", views_senders.check_sender, name="check_sender"),
    path("settings/sending/<uuid:uuid>/default/", views_senders.default_sender, name="default_sender"),
    path("inbox/", views_inbox.inbox_list, name="inbox"),
    path("inbox/react/", views_inbox.demo_switch, name="demo_switch"),
    path("inbox/<uuid:uuid>/", views_inbox.inbox_mail, name="inbox_mail"),
    path("inbox/<uuid:uuid>/body/", views_frames.inbox_frame, name="inbox_frame"),
]
