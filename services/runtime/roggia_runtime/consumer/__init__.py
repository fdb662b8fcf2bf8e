"""Inside of the consumer loop. Services use `roggia_runtime.loop`; nothing outside the runtime imports from here."""
