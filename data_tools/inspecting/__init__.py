"""What `python -m data_tools.inspect` shows of a dataset."""
