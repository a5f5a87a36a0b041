"""A shop with one plan by the month and by the year, and a customer."""

from dataclasses import dataclass

import pytest

from tests.stripe import StripeFake

MONTHLY, YEARLY = 699, 6990


@dataclass(frozen=True)
class Shop:
    fake: StripeFake
    product: str
    month: str
    year: str
    customer: str

    def status(self, subscription: str) -> str:
        return self.fake.client.subscriptions.retrieve(subscription).status

    def types(self) -> list[str]:
        return [event.type for event in self.fake.events()]


@pytest.fixture
def shop(stripe_fake: StripeFake) -> Shop:
    client = stripe_fake.client
    product = client.products.create({"name": "Premium", "description": "More of it"}).id
    month, year = (
        client.prices.create(
            {"product": product, "currency": "eur", "unit_amount": amount, "recurring": {"interval": interval}, "lookup_key": interval}
        ).id
        for interval, amount in (("month", MONTHLY), ("year", YEARLY))
    )
    customer = client.customers.create({"email": "ana@example.com", "metadata": {"user": "ana"}}).id
    return Shop(stripe_fake, product, month, year, customer)
