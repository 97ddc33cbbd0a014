"""All mutants, room by room, in the ladder's order."""

from parity.mutants.tables import (
    beam,
    checkpoint,
    classes,
    data,
    dropout,
    e2e,
    e2e_training,
    evaluation,
    exporting,
    formats,
    frozen,
    generation,
    growth,
    infilling,
    instructions,
    kernels,
    lora,
    loss,
    model,
    parallel,
    preferences,
    resume,
    rows,
    schedules,
    serving,
    sharding,
    stops,
    supervised,
    text,
    training,
)

MUTANTS = tuple(
    mutant
    for table in (text, infilling, data, model, rows, loss, evaluation, e2e, dropout, training,
                  frozen, supervised, classes, e2e_training, instructions, preferences, schedules,
                  growth, lora, parallel, sharding, generation, kernels, exporting, stops, serving,
                  beam, formats, checkpoint, resume)
    for mutant in table.MUTANTS
)
ROOMS = tuple(dict.fromkeys(mutant.room for mutant in MUTANTS))
