output "stack_name" {
  description = "Name of the ZenML stack: the value of ZENML_STAGING_STACK."
  value       = module.environment.stack_name
}

output "ci_variables" {
  description = "Variables of the CI system, for the environments in ci_environments."
  value       = module.environment.ci_variables
}

output "ci_subjects" {
  description = "Principals of the bootstrap's pool as which a CI job gets in."
  value       = module.environment.ci_subjects
}

output "stack_values" {
  description = "What `governance stack register` reads from configs/stacks/staging.yaml, where it makes the stack."
  value       = module.environment.stack_values
}

output "readers" {
  description = "What the terraform.tfvars of the other environment lists as artifact_readers, artifact_pruners and registry_readers."
  value       = module.environment.readers
}
