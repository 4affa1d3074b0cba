"""
What DRS says and means, as values and pure functions.

Nothing in this package opens a socket, reads a clock, rolls dice or knows of Airflow: requests and
conversations come out, responses, times and random numbers go in. Both hooks share all of it.
"""
