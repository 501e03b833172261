"""What lies in the workspace: files with unsaved text laid over them, settings, interpreters."""
