"""Pre-checks: starting them, their results and verdict, waivers, the report, and waiting for them."""
