"""The HTTP side of the emulator: server, authentication, routes and the control API."""
