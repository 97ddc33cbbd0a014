"""Reads prompts and writes continuations, for the command line and a conversation."""
