"""Empty: the beam searches under test are paddle_impl's. torch_side/searches.py restates them."""
