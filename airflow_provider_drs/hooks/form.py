"""The connection form for Airflow before 3.2, made from the table that later versions read themselves."""

from __future__ import annotations

from typing import Any

from airflow_provider_drs import provider_info


def describe_fields() -> dict[str, Any]:
    """Return which of Airflow's own fields are shown, under which names, and what an empty field says."""
    # Airflow writes into what it gets.
    return {name.replace("-", "_"): value for name, value in provider_info.FIELD_BEHAVIOUR.items()}


def make_widgets() -> dict[str, Any]:
    """Return a form field for each of the connection's extra fields."""
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from wtforms import BooleanField, IntegerField, PasswordField, StringField
    from wtforms.validators import Optional, any_of

    kinds = {"string": StringField, "integer": IntegerField, "boolean": BooleanField}
    widgets = {}
    for name, definition in provider_info.CONNECTION_FIELDS.items():
        schema = definition["schema"]
        kind = PasswordField if schema.get("format") == "password" else kinds[schema["type"][0]]
        # Airflow takes no other classes of fields; how they are drawn is left to us.
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
    Draws a text as a list to choose from.

    :param choices: the values, and what each is called.
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

    # What is stored is not shown. Airflow keeps it for this word, and would delete it for none.
    typed = field.raw_data[0] if field.raw_data else SENSITIVE_FIELD_PLACEHOLDER
    is_stored = field.data and typed == SENSITIVE_FIELD_PLACEHOLDER
    drawn = Markup('<input type="password" autocomplete="new-password" id="{}" name="{}" value="{}" {}>')
    shown = SENSITIVE_FIELD_PLACEHOLDER if is_stored else ""
    return drawn.format(field.id, field.name, shown, Markup('class="form-control"'))


def _draw_tick(field: Any, **options: Any) -> str:
    from markupsafe import Markup

    # The Test button sends the value as it stands here.
    return Markup('<input type="checkbox" id="{}" name="{}" value="true"{}>').format(
        field.id, field.name, " checked" if field.data else ""
    )
