"""The back office's SQL models: the door to members, and the record of what staff did. SQL holds no row of any member."""

from typing import Any, ClassVar, NoReturn

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


class AppendOnly(Exception):
    """Somebody tried to change or delete a record that stays as it is."""


class _Records(models.QuerySet["StaffAction"]):
    """Refuses to change or delete many records at once, as the model refuses one."""

    def update(self, **_fields: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def bulk_update(self, *_arguments: Any, **_options: Any) -> NoReturn:
        raise AppendOnly

    def close(self, **fields: Any) -> int:
        """Write the end of those that have none yet. Returns how many there were."""
        return models.QuerySet.update(self.filter(status=None), **fields)


class StaffAction(models.Model):
    """One thing that somebody of the staff did, or asked to see, in the back office.

    It is written before the page is served, so nothing happens unrecorded, and its end is added once when the page has answered: a
    record without `status` is one whose process died in between. Nothing else is ever changed, and none is deleted. Neither the data
    that was seen nor what a form held is kept; which staff it was stands here in words, so the record outlives their sign-in.
    """

    at = models.DateTimeField(db_index=True)
    staff_id = models.PositiveBigIntegerField(db_index=True)
    """The Django user's id. No foreign key: the record outlives the user."""
    staff_name = models.CharField(max_length=150)
    method = models.CharField(max_length=8, blank=True)
    """Empty for what is no page: a sign-in, a sign-out, a change of the second factor."""
    path = models.CharField(max_length=200, blank=True)
    """Without the query string."""
    view = models.CharField(max_length=100, blank=True)
    """The name of the address, such as `admin:offers_offer_change`."""
    subject = models.CharField(max_length=200, blank=True)
    """What it was done to, such as `offers.offer 0192...`; several are separated by commas."""
    what = models.CharField(max_length=300, blank=True)
    """In words, from the admin's log: which fields, never their values."""
    status = models.PositiveSmallIntegerField(null=True)
    """The HTTP status of the answer."""
    trace_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=45, blank=True)
    """The network the request came from: the first 24 bits of an IPv4 address, 48 of an IPv6 one."""

    objects: ClassVar[models.Manager["StaffAction"]] = models.Manager.from_queryset(_Records)()

    class Meta:
        default_permissions = ("view",)
        ordering = ("-at", "-id")
        verbose_name = "staff action"

    def __str__(self) -> str:
        return f"{self.staff_name} at {self.at:%Y-%m-%d %H:%M:%S}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write a new record. Raises AppendOnly for one that is there already."""
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise AppendOnly

    def close(self, *, status: int, subject: str = "", what: str = "") -> None:
        """Add how it ended. The first end stays; a later one is not written."""
        _Records(type(self)).filter(pk=self.pk).close(status=status, subject=subject, what=what)
