"""Write-back: statements on the open deals, into fields of ours in a CRM, as files for its import or by its API."""
