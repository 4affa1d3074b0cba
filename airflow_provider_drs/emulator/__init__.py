"""
A local IAM and DRS, strict and stateful, so that DAGs run without a cloud account.

It is a reading of its own of the service's documents, and shares no code with the hooks that talk to it: two
readings of the same page can disagree, and that is a test.
"""

from airflow_provider_drs.emulator.client import EmulatorClient, EmulatorError
from airflow_provider_drs.emulator.server import Emulator

__all__ = ["Emulator", "EmulatorClient", "EmulatorError"]
