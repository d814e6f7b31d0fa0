"""Where people watch: the event loop, the bar, the pages."""
