"""A sweep: runs of one training command with other values of its flags. scripts/sweep.py starts it.

grid.py reads what is asked for, command.py knows the command's flags, points.py and tpe.py choose
the settings, folder.py keeps runs and results, workers.py runs processes, picture.py draws.
"""
