"""The addresses of the pages that e-mails lead to. The root urlconf includes this at `notifications/`."""

from django.urls import path

from notifications import pages

urlpatterns = [
    path("unsubscribe/<str:token>", pages.unsubscribe, name="notifications-unsubscribe"),
    path("confirm/<str:token>", pages.confirm, name="notifications-confirm"),
]
