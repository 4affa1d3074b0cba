"""The documented API: error codes and request schemas."""
