output "state_bucket" {
  description = "Bucket of the states of this environment: `bucket` of its backends."
  value       = google_storage_bucket.state.name
}

output "workload_identity_provider" {
  description = "The CI provider: the variable of the same name in the environment's terraform.tfvars."
  value       = google_iam_workload_identity_pool_provider.ci.name
}
