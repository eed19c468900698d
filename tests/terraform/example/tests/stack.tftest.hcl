mock_provider "google" {}
mock_provider "zenml" {}

override_resource {
  target          = zenml_stack_component.artifacts
  override_during = plan
  values          = { id = "the-artifact-store" }
}

run "stack" {
  command = plan

  assert {
    condition     = google_storage_bucket.this.versioning[0].enabled
    error_message = "The bucket keeps no former versions."
  }

  assert {
    condition     = zenml_stack.this.components == tomap({ artifact_store = "the-artifact-store" })
    error_message = "The stack does not have the artifact store."
  }
}
