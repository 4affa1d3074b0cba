"""The connection form for Airflow before 3.2, built from the table that later versions read."""

from __future__ import annotations

from typing import Any

from airflow_provider_drs import provider_info


def describe_fields() -> dict[str, Any]:
    """Return which of Airflow's own fields are shown, their labels and placeholders."""
    # Airflow modifies the returned value.
    return {name.replace("-", "_"): value for name, value in provider_info.FIELD_BEHAVIOUR.items()}


def make_widgets() -> dict[str, Any]:
    """Return the form fields of the connection's extra."""
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from wtforms import BooleanField, IntegerField, PasswordField, StringField
    from wtforms.validators import Optional, any_of

    kinds = {"string": StringField, "integer": IntegerField, "boolean": BooleanField}
    widgets = {}
    for name, definition in provider_info.CONNECTION_FIELDS.items():
        schema = definition["schema"]
        kind = PasswordField if schema.get("format") == "password" else kinds[schema["type"][0]]
        # Airflow accepts no other field classes; their widgets can be chosen freely.
        draw = {PasswordField: _draw_secret, BooleanField: _draw_tick}.get(kind) or BS3TextFieldWidget()
        widgets[name] = kind(
            definition["label"],
            description=definition["description"],
            default=schema.get("default"),
            validators=[Optional(), *([any_of(schema["enum"])] if "enum" in schema else [])],
            widget=_Choice(schema["values_display"]) if "enum" in schema else draw,
        )
    return widgets


class _Choice:
    """
    Render a text field as a list of choices.

    :param choices: the values and their labels.
    """

    def __init__(self, choices: dict[str, str]) -> None:
        self._choices = choices

    def __call__(self, field: Any, **options: Any) -> str:
        from markupsafe import Markup

        chosen = str(field.data or field.default).strip().lower()
        row = Markup('<option value="{}"{}>{}</option>')
        rows = [
            row.format(value, " selected" if value == chosen else "", text)
            for value, text in self._choices.items()
        ]
        opening = Markup('<select id="{}" name="{}" class="form-control">').format(field.id, field.name)
        return opening + Markup("").join(rows) + Markup("</select>")


def _draw_secret(field: Any, **options: Any) -> str:
    from airflow.www.views import SENSITIVE_FIELD_PLACEHOLDER
    from markupsafe import Markup

    # The stored value is not shown. Airflow keeps it if the form sends this placeholder, and would delete it
    # otherwise.
    typed = field.raw_data[0] if field.raw_data else SENSITIVE_FIELD_PLACEHOLDER
    is_stored = field.data and typed == SENSITIVE_FIELD_PLACEHOLDER
    drawn = Markup('<input type="password" autocomplete="new-password" id="{}" name="{}" value="{}" {}>')
    shown = SENSITIVE_FIELD_PLACEHOLDER if is_stored else ""
    return drawn.format(field.id, field.name, shown, Markup('class="form-control"'))


def _draw_tick(field: Any, **options: Any) -> str:
    from markupsafe import Markup

    # The Test button sends the current value.
    return Markup('<input type="checkbox" id="{}" name="{}" value="true"{}>').format(
        field.id, field.name, " checked" if field.data else ""
    )
