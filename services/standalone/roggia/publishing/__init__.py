"""From files to `doc.changed`: which files, which content type, which revision, inline or by reference, and the wait."""
