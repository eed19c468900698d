output "stack_name" {
  description = "Name of the ZenML stack: the value of ZENML_PRODUCTION_STACK."
  value       = module.environment.stack_name
}

output "ci_variables" {
  description = "Variables of the CI system, for the environments whose jobs may enter."
  value       = module.environment.ci_variables
}

output "ci_subjects" {
  description = "Subjects of the tokens that may be the CI identity: whom this environment trusts."
  value       = module.environment.ci_subjects
}

output "stack_environment" {
  description = "Environment variables that the steps need: `zenml stack update --env`."
  value       = module.environment.stack_environment
}

output "stack_values" {
  description = "What `governance stack register` reads from configs/stacks/production.yaml, where it makes the stack."
  value       = module.environment.stack_values
}

output "runner" {
  description = "The identity that the steps run as: client id and object id."
  value       = module.environment.runner
}

output "secrets_vault" {
  description = "Name of the vault for the secrets of this environment."
  value       = module.environment.secrets_vault
}

output "readers" {
  description = "What the terraform.tfvars of the other environment lists as artifact_readers, artifact_pruners and registry_readers."
  value       = module.environment.readers
}
