"""Telling the workers that an offer's row has a revision that the table does not have yet."""

from functools import partial

from django.db import transaction
from django.db.models import F

from goalgraph import wiring
from offers.models import Company

TASK = "offers.tasks.publish"


def enqueue_publish(offer_id: str) -> None:
    """Have the offer projected soon. A hint: the sweep finds what gets lost."""
    wiring.jobs().enqueue(TASK, offer_id=offer_id)


def republish_all(company: Company) -> None:
    """Raise the revision of each of a company's offers, in the transaction that changed what they show of it."""
    offer_ids = list(company.offers.values_list("pk", flat=True))
    company.offers.update(rev=F("rev") + 1)
    for offer_id in offer_ids:
        transaction.on_commit(partial(enqueue_publish, offer_id))
