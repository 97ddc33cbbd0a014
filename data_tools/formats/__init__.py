"""Other programs' files of token ids, to and from this project's; convert.py is the command."""
