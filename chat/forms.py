"""The forms in which moderators say what they decide, and what a sender wrote against it. Whether they may, `case_services` says."""

from typing import Any

from django import forms

from chat.moderation_domain import ACTIONS, AGAINST, DISMISS, ESCALATE, HELP, MAX_APPEAL, MUTE, REDACT, RULES, SUSPEND, WARN, Act

WORDS = {
    DISMISS: "Dismiss: nothing is wrong. What was taken away comes back.",
    REDACT: "Redact: take the message away.",
    WARN: "Warn the sender.",
    MUTE: "Mute the sender for a time: they can read, and write to nobody.",
    SUSPEND: "Suspend the sender: they cannot come in.",
    HELP: "Offer help: the sender is told where to find it, in their language.",
    ESCALATE: "Escalate to those who run the platform.",
}
MINUTES = {60: "1 hour", 24 * 60: "1 day", 3 * 24 * 60: "3 days", 7 * 24 * 60: "7 days", 30 * 24 * 60: "30 days"}
DAYS = {1: "1 day", 7: "7 days", 30: "30 days", 90: "90 days", 365: "1 year"}
FURTHER_NOTICE = "further-notice"


class ActForm(forms.Form):
    """`urgent`: help comes first, and what is against the sender has to be confirmed."""

    action = forms.ChoiceField(widget=forms.RadioSelect)
    rule = forms.ChoiceField(label="It is about", choices=list(RULES.items()), help_text="The sender is told this, in their language.")
    minutes = forms.TypedChoiceField(label="Mute for", coerce=int, choices=list(MINUTES.items()), required=False, empty_value=None)
    days = forms.ChoiceField(label="Suspend for", choices=[*DAYS.items(), (FURTHER_NOTICE, "until further notice")], required=False)
    reason = forms.CharField(
        label="Reason",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=500,
        help_text="For the other moderators. The sender is not told this.",
    )
    confirmed = forms.BooleanField(label="Somebody may need help here. Act against them all the same.", required=False)

    def __init__(self, *args: Any, urgent: bool = False, bulk: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        order = (HELP, DISMISS, ESCALATE, *AGAINST) if urgent else (DISMISS, *AGAINST, ESCALATE, HELP)
        assert set(order) == set(ACTIONS)
        action = self.fields["action"]
        assert isinstance(action, forms.ChoiceField)
        action.choices = [(name, WORDS[name]) for name in order]
        self.initial.setdefault("days", 7)
        if not urgent or bulk:
            del self.fields["confirmed"]

    def act(self) -> Act:
        """Of a form that is valid. Raises Invalid."""
        facts = self.cleaned_data
        days = facts["days"]
        return Act(
            action=facts["action"],
            reason=facts["reason"],
            rule=facts["rule"],
            minutes=facts["minutes"] if facts["action"] == MUTE else None,
            days=None if days in ("", FURTHER_NOTICE) or facts["action"] != SUSPEND else int(days),
            confirmed=facts.get("confirmed", False),
        )


class AppealForm(forms.Form):
    """What a sender wrote to us by mail against a decision."""

    text = forms.CharField(
        label="What they wrote",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=MAX_APPEAL,
        help_text="In their words. Somebody else than who decided looks at it then.",
    )
