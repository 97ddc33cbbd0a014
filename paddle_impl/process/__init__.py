"""The process before Paddle is imported: Paddle's settings, Paddle's launcher, signals."""
