"""Records of the audit log as security monitoring reads them: OCSF and CEF, from the ledger, in order, resumable."""
