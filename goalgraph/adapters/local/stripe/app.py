"""The ASGI application: the API, the pages and the controls, around one stand-in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from goalgraph.adapters.local.stripe import clock
from goalgraph.adapters.local.stripe.api import Api
from goalgraph.adapters.local.stripe.controls import Controls
from goalgraph.adapters.local.stripe.deliveries import Deliveries
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.pages import Pages

TICK = 1.0
"""Every so many seconds we look for what has become due by itself."""
HERE = Path(__file__).parent


def application(fake: Fake, keys: Iterable[str], *, first_pause: float = 1.0) -> Starlette:
    """`keys` are the secret keys that the API takes; `first_pause` as `Deliveries` has it."""
    deliveries = Deliveries(fake, first_pause)

    def written() -> None:
        """What has become due happens, all of it is stored, and only then anybody hears of it."""
        clock.advance(fake, fake.now())
        fake.save()
        deliveries.start()

    api = Api(fake, frozenset(keys), written)
    controls = Controls(fake, api, deliveries, written)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        written()
        ticking = asyncio.create_task(_tick(fake, deliveries))
        try:
            yield
        finally:
            ticking.cancel()
            await deliveries.stop()
            fake.save()

    static = Mount("/static", StaticFiles(directory=HERE / "static"))
    return Starlette(
        routes=[*api.routes(), *controls.routes(), *Pages(fake, written).routes(), static],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        lifespan=lifespan,
    )


async def _tick(fake: Fake, deliveries: Deliveries) -> None:
    while True:
        await asyncio.sleep(TICK)
        if clock.advance(fake, fake.now()):
            fake.save()
        deliveries.start()
