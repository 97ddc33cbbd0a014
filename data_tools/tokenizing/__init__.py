"""Tokenizers: byte-level BPE with its fast encoder, SentencePiece for Chinese, chat templates."""
