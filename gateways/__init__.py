"""How we speak to the world: files, mail, calendars; never the database."""
