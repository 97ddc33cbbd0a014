"""The processes of a job: groups and collective calls (ranks), tensor parallelism (tensor)."""
