"""From the files of a backbone to a model that trains."""
