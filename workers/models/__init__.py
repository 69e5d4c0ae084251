"""Turn the files of a backbone into a model that trains."""
