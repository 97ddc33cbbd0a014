"""Empty: the reference runs in one process. paddle_side/meeting.py runs several as threads."""
