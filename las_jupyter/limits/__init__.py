"""Finding, measuring, bounding and ending a whole process tree."""
