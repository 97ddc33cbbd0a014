"""GPT on PaddlePaddle. Importing this package imports nothing else: `--help` stays instant."""
