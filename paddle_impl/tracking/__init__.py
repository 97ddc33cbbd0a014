"""Records of a run: console, metrics.jsonl, and the curves of VisualDL, TensorBoard and W&B."""

from paddle_impl.tracking.sinks import check
from paddle_impl.tracking.tracker import METRICS, Tracker

__all__ = ["METRICS", "Tracker", "check"]
