"""The command line: arguments, printing, exit codes. One file a subject; the only room with Typer and Rich."""
