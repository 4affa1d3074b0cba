"""What the provider costs, compared with code that users would write without it."""
