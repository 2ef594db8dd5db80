"""The door for browsers and phones: reads HTTP, calls one service, shows the answer."""
