output "stack_name" {
  description = "Name of the ZenML stack: the value of ZENML_STAGING_STACK."
  value       = module.environment.stack_name
}

output "ci_variables" {
  description = "Variables of the CI system, for the jobs of this environment."
  value       = module.environment.ci_variables
}

output "ci_subjects" {
  description = "Subjects of the tokens with which a CI job gets in."
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

output "sources" {
  description = "What the terraform.tfvars of the other environment may list as artifact_sources and registry_sources."
  value       = module.environment.sources
}
