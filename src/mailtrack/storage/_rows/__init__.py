"""What the storages in tables have in common, whatever their SQL: values from columns, and columns from values."""
