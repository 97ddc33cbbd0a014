"""A language model behind a server scores responses to instructions, from 0 to 100."""
