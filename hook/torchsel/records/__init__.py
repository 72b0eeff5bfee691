"""Records: the outcome of a run that found nothing to do, repeated while nothing changed."""
