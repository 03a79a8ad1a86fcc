"""The operator's API: `/admin/api/v1`."""
