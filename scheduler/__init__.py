"""The clock: another door into the services, which decides nothing."""
