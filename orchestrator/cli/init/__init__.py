"""From a data file to a task and a sweep: what can be seen in it, what has to be asked, and the two files."""
