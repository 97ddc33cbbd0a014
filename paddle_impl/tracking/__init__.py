"""Records of a run: console, metrics.jsonl, curves of VisualDL, TensorBoard and W&B, a picture."""

from paddle_impl.tracking.sinks import check
from paddle_impl.tracking.tracker import METRICS, Tracker

__all__ = ["METRICS", "Tracker", "check"]
