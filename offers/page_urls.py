"""The addresses of the links of offers. The root urlconf includes this at `o/`."""

from django.urls import path

from offers import pages

urlpatterns = [
    path("<str:token>.gif", pages.view, name="offers-view"),
    path("<str:token>", pages.link, name="offers-link"),
]
