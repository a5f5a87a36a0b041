"""The groups of staff and what each may do. Run twice it changes nothing; what was given to a group by hand stays."""

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

VIEWED_BY_OPS = {
    "auth": ["group", "user"],
    "billing": ["account"],
    "chat": ["case", "caseaction", "urgentcase"],
    "offers": ["company", "membership", "offer"],
    "users": ["member", "staffaction"],
}
GROUPS = {
    "partner": ["offers.view_company", "offers.view_membership", "offers.view_offer", "offers.add_offer", "offers.change_offer"],
    "moderator": [
        "chat.view_case",
        "chat.view_caseaction",
        "chat.view_urgentcase",
        "chat.act_on_case",
        "offers.view_offer",
        "offers.review_offer",
    ],
    "support": ["users.view_member", "billing.view_account", "billing.refund_account"],
    "ops": [
        *(f"{app}.view_{model}" for app, models in VIEWED_BY_OPS.items() for model in models),
        "billing.repair_account",
        "chat.act_on_case",
        "chat.act_on_escalated_case",
        "offers.review_offer",
        "offers.add_company",
        "offers.change_company",
        "offers.add_membership",
        "offers.change_membership",
    ],
}


def make_groups(apps: Any, schema_editor: Any) -> None:
    """Django makes permissions after all migrations; the groups need theirs now."""
    alias = schema_editor.connection.alias
    for label in VIEWED_BY_OPS:
        app_config = apps.get_app_config(label)
        app_config.models_module = True  # of an app as it was, Django knows no module, and would pass it over
        create_permissions(app_config, verbosity=0, apps=apps, using=alias)
        app_config.models_module = None
    for name, permissions in GROUPS.items():
        group, _created = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name=name)
        group.permissions.add(*(_permission(apps, alias, permission) for permission in permissions))


def _permission(apps: Any, alias: str, name: str) -> Any:
    """Raises Permission.DoesNotExist for a name that no model has."""
    app_label, codename = name.split(".")
    return apps.get_model("auth", "Permission").objects.using(alias).get(content_type__app_label=app_label, codename=codename)


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0002_staffaction"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("billing", "__first__"),
        ("chat", "__first__"),
        ("offers", "__first__"),
    ]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop, elidable=False)]
