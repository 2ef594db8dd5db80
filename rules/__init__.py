"""What is true: pure functions over plain values; no clock, no database, no Flask."""
