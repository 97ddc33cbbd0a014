"""The processes of a job and what they share: groups, collective calls, shares of a model."""
