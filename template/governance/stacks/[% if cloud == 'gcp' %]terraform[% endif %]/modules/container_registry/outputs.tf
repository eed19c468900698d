locals {
  repository = google_artifact_registry_repository.this
}

output "component" {
  description = "ZenML component: flavor and configuration."
  value = {
    flavor        = "gcp"
    configuration = { uri = "${local.repository.location}-docker.pkg.dev/${var.project_id}/${local.repository.repository_id}" }
    connected     = true
  }
}
