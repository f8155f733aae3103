"""All addresses and the style guide, which a running installation does not show."""

from django.urls import path

from mailai.ui import views
from mailai.urls import handler404, handler500, urlpatterns

__all__ = ["handler404", "handler500", "urlpatterns"]
if not any(getattr(pattern, "name", "") == "styleguide" for pattern in urlpatterns):
    urlpatterns = [*urlpatterns, path("styleguide/", views.styleguide, name="styleguide")]
