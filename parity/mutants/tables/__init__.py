"""All mutants, room by room, in the ladder's order."""

from parity.mutants.tables import (
    beam,
    checkpoint,
    data,
    dropout,
    evaluation,
    frozen,
    generation,
    infilling,
    kernels,
    loss,
    model,
    parallel,
    resume,
    rows,
    schedules,
    sharding,
    text,
    training,
)

MUTANTS = tuple(
    mutant
    for table in (text, infilling, data, model, rows, loss, evaluation, dropout, training, frozen,
                  schedules, parallel, sharding, generation, kernels, beam, checkpoint, resume)
    for mutant in table.MUTANTS
)
ROOMS = tuple(dict.fromkeys(mutant.room for mutant in MUTANTS))
