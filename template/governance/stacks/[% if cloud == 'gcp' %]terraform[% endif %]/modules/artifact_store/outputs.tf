output "component" {
  description = "ZenML component: flavor and configuration."
  value = {
    flavor        = "gcp"
    configuration = { path = "gs://${google_storage_bucket.this.name}" }
    connected     = true
  }
}
