"""All mutants, room by room, in the ladder's order."""

from parity.mutants.tables import (
    beam,
    checkpoint,
    data,
    dropout,
    evaluation,
    generation,
    growth,
    kernels,
    loss,
    model,
    parallel,
    resume,
    schedules,
    sharding,
    text,
    training,
)

MUTANTS = tuple(
    mutant
    for table in (text, data, model, loss, evaluation, dropout, training, schedules, growth,
                  parallel, sharding, generation, kernels, beam, checkpoint, resume)
    for mutant in table.MUTANTS
)
ROOMS = tuple(dict.fromkeys(mutant.room for mutant in MUTANTS))
