"""`manage.py create_buckets`: make the bucket of the pictures that everybody may see."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from goalgraph.adapters import media


class Command(BaseCommand):
    help = "Creates the bucket of offers' pictures where it is not there yet. Without a CDN in front, readers are let in. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for done in media.ensure_bucket(settings.OFFER_MEDIA_BUCKET, settings.AWS_REGION, public=not settings.OFFER_MEDIA_URL):
                self.stdout.write(f"  {done}")
        except media.BucketUnavailable as error:
            raise CommandError(f"S3 refuses, or does not answer: {error}") from error
