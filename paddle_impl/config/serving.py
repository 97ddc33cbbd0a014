"""Settings of the completion server, run_generation.py --serve."""

import ipaddress
import math
import os
from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require, require_at_least_one


@dataclass(frozen=True, kw_only=True)
class ServingFlags(Options):
    """Flags of the server; times are in seconds. ValueError, with the flag, if one is invalid."""

    host: str = flag("127.0.0.1", "address to listen on; 0.0.0.0 for every network of this machine")
    port: int = flag(8000, "port to listen on; 0 for any that is free")
    served_model_name: str | None = flag(None, "the model's id (default: its directory's name)")
    max_prompt_tokens: int | None = flag(
        None, "tokens of a prompt at most (default: all positions but one)")
    max_new_tokens: int | None = flag(
        None, "a request's max_tokens at most (default: the model's positions)")
    max_concurrency: int = flag(64, "requests at a time; one more is answered with 429")
    queue_timeout: float = flag(60.0, "seconds a request may wait for its first token")
    request_timeout: float = flag(600.0, "seconds a request may take")
    grace: float = flag(30.0, "seconds that running requests get when the server is asked to end")
    max_body_bytes: int = flag(4 << 20, "bytes of a request at most")
    api_key_variable: str | None = flag(
        None, "environment variable with the key that requests must bring (default: none needed)")

    def __post_init__(self):
        require(0 <= self.port <= 65535, f"--port must lie between 0 and 65535, got {self.port}")
        require_at_least_one(self, "max_prompt_tokens", "max_new_tokens", "max_concurrency",
                             "max_body_bytes")
        for name in ("queue_timeout", "request_timeout", "grace"):
            value = getattr(self, name)
            require(0 < value < math.inf, f"--{name} must be above 0 seconds, got {value}")
        name = self.api_key_variable
        require(name is None or bool(self.api_key),
                f"--api_key_variable {name}, but the environment has no {name}: export {name}=KEY")

    @property
    def api_key(self) -> str | None:
        name = self.api_key_variable
        return None if name is None else os.environ.get(name, "").strip()

    @property
    def only_this_machine(self) -> bool:
        """Whether no other machine can reach the host."""
        return is_loopback(self.host)

    def answers_to(self, name: str) -> bool:
        """Whether a request may call the server so, in small letters; with a key, anything goes.

        Without one a web page could reach the server by a name of its own that leads to this
        machine (DNS rebinding), so that browsers take the page and the server for one origin. An
        address is no such name.
        """
        if self.api_key is not None or is_loopback(name) or name == self.host.lower():
            return True
        return not self.only_this_machine and is_address(name)


def is_loopback(name: str) -> bool:
    """Whether the host name or address can only mean this machine."""
    return ipaddress.ip_address(name).is_loopback if is_address(name) else name == "localhost"


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class ServingOptions(ServingFlags):
    """The server's flags, and settings that come from other flags.

    model_name_or_path: the directory that gives the model its id and may hold a chat template.
    adapter: that of an adapter in the weights, which does so before it.
    rows: sequences that are computed at the same time; the others wait. decoder: see
    paddle_impl.decoding.choice. eos_token_ids: end tokens; () means the model's.
    language: whose control token stands before the prompts that are texts, but in a chat. fim_mode:
    the order of the parts around a gap; see data_tools.fim_prompt.
    """

    model_name_or_path: str
    adapter: str | None = None
    rows: int = 16
    decoder: str = "auto"
    eos_token_ids: tuple[int, ...] = ()
    language: str | None = None
    fim_mode: str = "psm"

    @property
    def model_id(self) -> str:
        path = os.path.abspath(self.adapter or self.model_name_or_path)
        return self.served_model_name or os.path.basename(path) or path
