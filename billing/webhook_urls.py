"""Where Stripe delivers."""

from django.urls import path

from billing.webhooks import webhook

urlpatterns = [path("webhook/<str:endpoint>", webhook, name="stripe_webhook")]
