"""Settings that optuna's tree-structured Parzen estimator chooses from the results so far."""

import hashlib
import importlib
import importlib.util
import json
import warnings
from collections.abc import Collection, Mapping
from typing import Any

from sweeping.folder import Result
from sweeping.grid import Grid, Range

_TRIES = 100


class Tpe:
    """Chooses points of a grid. ValueError where optuna is not installed.

    The study is made anew from the results at every call, so that several processes, and a sweep
    that is started again, choose from all that the folder holds.
    """

    def __init__(self, grid: Grid, seed: int):
        if importlib.util.find_spec("optuna") is None:
            raise ValueError("--sampler tpe needs optuna: pip install '.[sweep]'")
        self._grid, self._seed = grid, seed
        self._optuna = importlib.import_module("optuna")
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        distributions = self._optuna.distributions
        self._space = {name: _distribution(distributions, values)
                       for name, values in grid.parameters.items()}

    def ask(self, runs: Mapping[str, dict[str, Any]], results: Mapping[str, Result],
            ) -> dict[str, Any] | None:
        """New settings, or None if a hundred tries find none that are not among the runs.

        runs: settings by the run's name; those without a result count as running.
        """
        for attempt in range(_TRIES):
            with warnings.catch_warnings():
                # constant_liar is called experimental before optuna 5.
                warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
                study = self._study(runs, results, attempt)
            values = study.ask(self._space).params
            settings = self._grid.settings({name: self._decoded(name, value)
                                            for name, value in values.items()})
            if self._grid.command.hash_of(settings) not in runs:
                return settings
        return None

    def is_point(self, settings: Mapping[str, Any]) -> bool:
        """Whether the settings are of this grid."""
        values = self._values(settings)
        return (values is not None and settings == self._grid.settings(values)
                and all(_holds(self._grid.parameters[name], value)
                        for name, value in values.items()))

    def _study(self, runs: Mapping, results: Mapping, attempt: int):
        optuna = self._optuna
        state = optuna.trial.TrialState
        told = f"{self._seed} {len(runs)} {attempt}".encode()
        study = optuna.create_study(
            direction="maximize" if self._grid.greater_is_better else "minimize",
            sampler=optuna.samplers.TPESampler(
                seed=int.from_bytes(hashlib.sha256(told).digest()[:4], "big"), constant_liar=True))
        for name in sorted(runs):
            result = results.get(name)
            score = result and result.score(self._grid.score, self._grid.greater_is_better)
            kind = state.RUNNING if result is None else state.FAIL if score is None \
                else state.COMPLETE
            values = {one: value if isinstance(self._grid.parameters[one], Range)
                      else json.dumps(value) for one, value in self._values(runs[name]).items()}
            study.add_trial(optuna.trial.create_trial(
                params=values, distributions=self._space, state=kind,
                value=score if kind is state.COMPLETE else None))
        return study

    def _values(self, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """The parameters' values in the settings; None where one is missing."""
        firsts = {name: name.split("+")[0] for name in self._grid.parameters}
        if not settings.keys() >= {*firsts.values()}:
            return None
        return {name: settings[first] for name, first in firsts.items()}

    def _decoded(self, name: str, value: Any) -> Any:
        values = self._grid.parameters[name]
        if not isinstance(values, Range):
            return json.loads(value)
        rounded = value if values.whole else float(f"{value:.6g}")
        return min(max(rounded, values.low), values.high)


def _distribution(distributions, values: tuple | Range):
    if not isinstance(values, Range):
        return distributions.CategoricalDistribution([json.dumps(value) for value in values])
    kind = distributions.IntDistribution if values.whole else distributions.FloatDistribution
    return kind(values.low, values.high, log=values.log)


def _holds(values: Collection | Range, value: Any) -> bool:
    if isinstance(values, Range):
        return values.low <= value <= values.high
    return value in values
