"""The connection form for Airflow before 3.2, made from the table that later versions read themselves."""

from __future__ import annotations

from typing import Any

from airflow_provider_drs import provider_info

FIELD_BEHAVIOUR: dict[str, Any] = {
    name.replace("-", "_"): value for name, value in provider_info.FIELD_BEHAVIOUR.items()
}


def make_widgets() -> dict[str, Any]:
    """Return a form field for each of the connection's extra fields."""
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from wtforms import BooleanField, IntegerField, StringField
    from wtforms.validators import Optional, any_of

    kinds = {"string": StringField, "integer": IntegerField, "boolean": BooleanField}
    widgets = {}
    for name, definition in provider_info.CONNECTION_FIELDS.items():
        schema = definition["schema"]
        kind = kinds[schema["type"][0]]
        choices = [any_of(schema["enum"])] if "enum" in schema else []
        options: dict[str, Any] = {} if kind is BooleanField else {"widget": BS3TextFieldWidget()}
        widgets[name] = kind(
            definition["label"],
            description=definition["description"],
            default=schema.get("default"),
            validators=[Optional(), *choices],
            **options,
        )
    return widgets
