"""The corpus as evaluation sees it: documents from `doc.chunked.c<K>`, and manifests that say which corpus it was."""
