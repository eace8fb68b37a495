"""A live look at training: what runs, how it is measured, and how a browser shows it."""
