"""Models that leave the house: an exported folder is written, and answers. No result depends on this room."""
