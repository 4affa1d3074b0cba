"""
The DRS protocol as values and pure functions.

Nothing in this package opens a socket, reads a clock, draws random numbers or imports Airflow: it returns
requests and conversations, and receives responses, times and random numbers. Both hooks share it.
"""
