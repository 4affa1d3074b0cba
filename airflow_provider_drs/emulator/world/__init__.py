"""The emulated jobs, and the rules that they follow."""
