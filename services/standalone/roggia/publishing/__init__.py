"""From files to `doc.changed`: which files, which content type, which revision, and the wait for the index."""
