"""The operator: replay, redrive, lag, tenants and the console. It writes lanes, jobs and tenants."""
