"""All mutants, room by room, in the ladder's order."""

from parity.mutants.tables import (
    beam,
    checkpoint,
    data,
    dropout,
    evaluation,
    exporting,
    formats,
    generation,
    kernels,
    loss,
    model,
    parallel,
    resume,
    serving,
    sharding,
    stops,
    text,
    training,
)

MUTANTS = tuple(
    mutant
    for table in (text, data, model, loss, evaluation, dropout, training, parallel, sharding,
                  generation, kernels, exporting, stops, serving, beam, formats, checkpoint, resume)
    for mutant in table.MUTANTS
)
ROOMS = tuple(dict.fromkeys(mutant.room for mutant in MUTANTS))
