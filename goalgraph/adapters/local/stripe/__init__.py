"""A stand-in for Stripe: its API over HTTP, its checkout and portal pages, and its signed webhooks. No money moves.

    python -m goalgraph.adapters.local.stripe --port 38000 --state .local/stripe.json

It is written from Stripe's public reference (docs.stripe.com/api), in the shapes of the API version `objects.API_VERSION`, and knows the
routes that GoalGraph and dj-stripe call. docs/stripe-fake.md says what it leaves out. A process of its own, without Django.

    api -> customers, catalogue, checkout, subscriptions, payments, ... -> fake (objects, clock, events) -> state
                                                                                    |
                                                                                    v
                                                                               deliveries
"""
