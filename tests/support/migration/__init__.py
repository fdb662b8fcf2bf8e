"""A migration to another model under fire: documents change, searches run, processes are killed, all the time.

`plan` says how large a run is and draws its faults, `ensemble` are its processes, `traffic` publishes, `readers`
search, `run` tells the story, `judge` compares every point of every generation with the model of the log.
"""
