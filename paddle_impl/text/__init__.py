"""Prompts in, continuations out, for the command line and a conversation."""
