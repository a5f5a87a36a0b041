"""The back office's forms of offers, companies and memberships. They read what is typed; the services decide."""

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminFileWidget, AdminSplitDateTime, AdminTextareaWidget
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from goalgraph import inputs
from goalgraph.errors import GoalGraphError, Invalid
from offers import authoring_services, company_services, drafts, images, states
from offers.models import FOR_WHOM, Company, Membership, Offer

LANGUAGES = [("", "every language"), ("en", "English"), ("es", "Spanish"), ("pt-BR", "Portuguese (Brazil)")]
MAX_MONEY = drafts.MAX_COUNT // 100


def complaint(error: GoalGraphError) -> ValidationError:
    return ValidationError(error.message, code=error.code)


class Coded(forms.ModelForm):
    """A form whose last word is a service's: `rev` is the revision that was on the screen."""

    rev = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def _post_clean(self) -> None:
        """Nothing: a model form would write what was typed into the row that the pages show, and services write rows."""

    refusal: GoalGraphError | None = None
    """What a service said to the same input a moment ago; the page sets it, so that it stands beside what was typed."""

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if self.refusal is not None:
            self.add_error(self.refusal.field if self.refusal.field in self.fields else None, complaint(self.refusal))
        return found

    def changed_since(self, now: int, message: str) -> None:
        """Keep what was typed on the screen where somebody else changed the row meanwhile."""
        seen = self.cleaned_data.get("rev")
        if self.instance.pk and not self.instance._state.adding and (seen is None or seen < now):
            raise ValidationError(message, code="CONFLICT")


class Money(forms.DecimalField):
    """An amount as people write it, with two digits behind the point; `cents` is how it is stored."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=MAX_MONEY, max_digits=10, decimal_places=2, required=False, **options)


class OfferForm(Coded):
    title = forms.CharField(max_length=drafts.MAX_TITLE, widget=forms.TextInput(attrs={"class": "vTextField"}))
    body = forms.CharField(
        label="Text",
        required=False,
        max_length=drafts.MAX_BODY,
        widget=AdminTextareaWidget(attrs={"rows": 5}),
        help_text="What members get, and what they have to do for it. Plain text.",
    )
    url = forms.CharField(
        label="Address",
        required=False,
        max_length=drafts.MAX_URL,
        widget=forms.URLInput(attrs={"class": "vURLField"}),
        help_text="Where a click leads: https, public, and there when you submit. A page that leads on is followed.",
    )
    image = forms.FileField(
        label="Picture",
        required=False,
        widget=AdminFileWidget(attrs={"accept": "image/jpeg,image/png,image/webp"}),
        help_text=f"JPEG, PNG or WebP, up to {images.MAX_BYTES // 1024 // 1024} MB and {images.MAX_PIXELS} pixels a side.",
    )
    tags = forms.CharField(
        required=False,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=f"Up to {drafts.MAX_TAGS}, with commas between: running, health. Members whose goals have one of them see the offer.",
    )
    goal_kinds = forms.MultipleChoiceField(
        label="Kinds of goal",
        required=False,
        choices=[(kind, kind) for kind in drafts.GOAL_KINDS],
        widget=forms.CheckboxSelectMultiple,
        help_text=f"Up to {drafts.MAX_GOAL_KINDS}. Wider than tags: a goal is of a kind by its tags and by the words of its title.",
    )
    tier = forms.ChoiceField(label="For", choices=FOR_WHOM)
    early_access_days = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=drafts.MAX_EARLY_ACCESS_DAYS,
        initial=0,
        help_text="For so many days, premium members alone see it; then everybody does.",
    )
    language = forms.ChoiceField(required=False, choices=LANGUAGES, help_text="Members of other languages see it further down.")
    valid_from = forms.SplitDateTimeField(
        required=False, widget=AdminSplitDateTime, help_text="In UTC. Empty: from the moment it is approved."
    )
    valid_to = forms.SplitDateTimeField(
        required=False, widget=AdminSplitDateTime, help_text="In UTC. Empty: until you pause or archive it."
    )
    budget_cents = Money(
        label="Budget",
        help_text="For all clicks, in the currency of your contract. Empty: no limit. Days without figures use up nothing.",
    )
    cost_per_click_cents = Money(
        label="Cost per click", help_text="What your contract says a click costs. A change holds for later clicks."
    )
    daily_clicks = forms.IntegerField(required=False, min_value=1, max_value=drafts.MAX_COUNT, help_text="A day (UTC). Empty: no limit.")
    total_views = forms.IntegerField(required=False, min_value=1, max_value=drafts.MAX_COUNT, help_text="In all. Empty: no limit.")

    class Meta:
        model = Offer
        fields = ("company", *states.AUTHORED)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            return
        self.initial.update(
            rev=self.instance.rev,
            tags=", ".join(self.instance.tags),
            budget_cents=_amount(self.instance.budget_cents),
            cost_per_click_cents=_amount(self.instance.cost_per_click_cents),
        )
        kept = self.instance.language
        if kept and kept not in dict(LANGUAGES):  # another one, given by a service
            self.fields["language"].choices = [*LANGUAGES, (kept, kept)]  # type: ignore[attr-defined]

    def clean_image(self) -> Any:
        """A new picture is drawn here for once already, so that a broken one is told beside its field."""
        image = self.cleaned_data["image"]
        if isinstance(image, UploadedFile):
            try:
                images.redrawn(image, image.size or 0)  # type: ignore[arg-type]
            except Invalid as error:
                raise complaint(error) from error
        return image

    def clean_tags(self) -> list[str]:
        typed = [tag.strip() for tag in self.cleaned_data["tags"].split(",")]
        return _checked("tags", [tag for tag in typed if tag])

    def clean_url(self) -> str:
        return _checked("url", self.cleaned_data["url"])

    def clean_title(self) -> str:
        return _checked("title", self.cleaned_data["title"])

    def clean_body(self) -> str:
        return _checked("body", self.cleaned_data["body"])

    def clean_goal_kinds(self) -> list[str]:
        return _checked("goal_kinds", self.cleaned_data["goal_kinds"])

    def clean_budget_cents(self) -> int | None:
        return _checked("budget_cents", _cents(self.cleaned_data["budget_cents"]))

    def clean_cost_per_click_cents(self) -> int:
        return _checked("cost_per_click_cents", _cents(self.cleaned_data["cost_per_click_cents"]))

    def clean(self) -> dict[str, Any]:
        found = super().clean()
        self.changed_since(self.instance.authored_rev, authoring_services.CHANGED)
        try:
            drafts.check_validity(found.get("valid_from"), found.get("valid_to"))
        except Invalid as error:
            self.add_error(error.field, complaint(error))
        return found

    def authored(self) -> dict[str, Any]:
        """The fields as services take them. A picture that was not touched is left out."""
        fields = {name: self.cleaned_data[name] for name in states.AUTHORED if name in self.cleaned_data}
        image = fields.pop("image", None)
        if isinstance(image, UploadedFile):
            fields["image"] = image
        elif image is False:
            fields["image"] = None
        return fields


class CompanyForm(Coded):
    url = forms.CharField(label="Website", required=False, max_length=drafts.MAX_URL, widget=forms.URLInput(attrs={"class": "vURLField"}))

    class Meta:
        model = Company
        fields = ("name", "url", "archived")
        help_texts = {
            "name": "Members see it beside each offer.",
            "archived": "Its offers are taken back, and come again when this is undone.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["rev"] = self.instance.rev

    def clean_name(self) -> str:
        try:
            return inputs.text(self.cleaned_data["name"], field="name", longest=company_services.MAX_NAME)
        except Invalid as error:
            raise complaint(error) from error

    def clean_url(self) -> str:
        return _checked("url", self.cleaned_data["url"])

    def clean(self) -> dict[str, Any]:
        found = super().clean()
        self.changed_since(self.instance.rev, company_services.CHANGED)
        return found


class MembershipForm(Coded):
    class Meta:
        model = Membership
        fields = ("company", "user", "role", "active")
        help_texts = {
            "role": "An analyst reads; an editor writes and submits; an owner also archives, and changes these roles.",
            "active": "Switch off when somebody leaves. The platform's staff switch it on again.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["rev"] = self.instance.rev

    def clean(self) -> dict[str, Any]:
        found = super().clean()
        self.changed_since(self.instance.rev, company_services.MEMBERSHIP_CHANGED)
        if self.instance._state.adding and {"company", "user"} <= found.keys():
            known = Membership.objects.filter(company=found["company"], user=found["user"])
            if known.exists():
                raise ValidationError("This person works for this company already. Change the role there.")
        return found


class ReasonForm(forms.Form):
    """What a step of an offer's life is taken with."""

    rev = forms.IntegerField()
    reason = forms.CharField(required=False, max_length=authoring_services.MAX_REASON)


def _checked(name: str, value: Any) -> Any:
    try:
        return drafts.checked({name: value})[name]
    except Invalid as error:
        raise complaint(error) from error


def _cents(amount: Any) -> int | None:
    return None if amount is None else int(amount * 100)


def _amount(cents: int | None) -> str:
    return "" if cents is None else f"{cents / 100:.2f}"
