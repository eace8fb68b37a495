"""Learning by running: the lessons and the playground."""
