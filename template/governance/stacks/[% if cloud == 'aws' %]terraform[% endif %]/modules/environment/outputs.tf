output "stack_name" {
  description = "Name of the ZenML stack."
  value       = module.zenml_stack.stack_name
}

output "ci_variables" {
  description = "Variables that the CI jobs of this environment need for their federation."
  value       = { AWS_ROLE_ARN = module.ci_identity.role_arn }
}

output "ci_subjects" {
  description = "Subjects of the tokens with which a CI job gets in."
  value       = module.ci_identity.subjects
}

output "stack_values" {
  description = "Configuration of the components that lie in the cloud, by type."
  value = {
    orchestrator       = module.orchestrator.component.configuration
    artifact_store     = module.artifact_store.component.configuration
    container_registry = module.container_registry.component.configuration
  }
}

output "readers" {
  description = "Roles of this environment that read what the other one made: its artifact_readers and registry_readers."
  value = {
    artifact_readers = concat([module.orchestrator.role_arn, module.ci_identity.role_arn], aws_iam_role.zenml[*].arn)
    registry_readers = concat([module.orchestrator.role_arn, module.ci_identity.role_arn], aws_iam_role.zenml[*].arn)
  }
}

output "sources" {
  description = "What the roles of the other environment may be let read: its artifact_sources and registry_sources."
  value = {
    artifact_sources = [module.artifact_store.source]
    registry_sources = module.container_registry.repository_arns
  }
}
