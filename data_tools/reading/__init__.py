"""Input paths -> raw texts: finds the files, orders them and reads what is in them."""
