"""Source files -> token files; numpy and tokenizer libraries, never Paddle."""

VERSION = "0.1.0"
