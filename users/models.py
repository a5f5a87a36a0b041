"""The back office's door to members. Their data is in the table; SQL holds no row of any member."""

from django.db import models


class _NoRows(models.Manager["Member"]):
    """There is no SQL table behind the model, so whatever asks (dumpdata, a guessed admin address) finds nothing instead of failing."""

    def get_queryset(self) -> models.QuerySet["Member"]:
        return super().get_queryset().none()


class Member(models.Model):
    """Puts the look-up of members into the admin's index, with a permission of its own: `users.view_member`."""

    reference = models.CharField(primary_key=True, max_length=257)
    """`<user id>`, or `<tenant id>/<user id>`."""

    objects = _NoRows()

    class Meta:
        managed = False
        default_permissions = ("view",)
        base_manager_name = "objects"
        verbose_name = "member"

    def __str__(self) -> str:
        return self.reference
