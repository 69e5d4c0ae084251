"""The commands: their options and help. One file for each command or group of commands."""
