"""All mutants, room by room, in the order in which the ladder climbs through the code."""

from parity.mutants import (
    table_beam,
    table_checkpoint,
    table_data,
    table_dropout,
    table_evaluation,
    table_generation,
    table_loss,
    table_model,
    table_parallel,
    table_text,
    table_training,
)

MUTANTS = tuple(
    mutant
    for table in (table_text, table_data, table_model, table_loss, table_evaluation,
                  table_dropout, table_training, table_parallel, table_generation, table_beam,
                  table_checkpoint)
    for mutant in table.MUTANTS
)
ROOMS = tuple(dict.fromkeys(mutant.room for mutant in MUTANTS))
