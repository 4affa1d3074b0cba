"""Adds to Airflow 2 the users that the tests log in as: an admin, a viewer, and two who may see less."""

from __future__ import annotations

import sys

from airflow.www.app import create_app

WEBSITE = ("can_read", "Website")
ROLES = {
    "Stranger": [WEBSITE, ("can_read", "DAG:another_dag"), ("can_read", "XComs")],
    "Blind": [WEBSITE, ("can_read", "DAGs"), ("can_read", "Task Instances")],
}
USERS = {"admin": "Admin", "viewer": "Viewer", "stranger": "Stranger", "blind": "Blind"}

security = create_app().appbuilder.sm
for role, permissions in ROLES.items():
    security.add_role(role)
    for action, resource in permissions:
        security.add_permission_to_role(
            security.find_role(role), security.create_permission(action, resource)
        )
for name, role in USERS.items():
    security.add_user(name, name, name, f"{name}@example.org", security.find_role(role), sys.argv[1])
