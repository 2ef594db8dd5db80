"""The suite that breaks things: processes killed, servers that lie, and a count of what was lost."""
