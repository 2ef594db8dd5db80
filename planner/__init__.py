"""The search for a plan; knows the rules and nothing of the database."""
