"""What changes a model version's standing: promotion, rollback, approval, and repair of what went wrong."""
