from tests.goalgraph.adapters.local.stripe.shop import shop

__all__ = ["shop"]
