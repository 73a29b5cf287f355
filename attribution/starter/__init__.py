"""The bundled starter models: weights and configuration only. docs/models.md says what they are."""
