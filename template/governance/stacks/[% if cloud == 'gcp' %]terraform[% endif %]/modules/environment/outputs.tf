output "stack_name" {
  description = "Name of the ZenML stack."
  value       = module.zenml_stack.stack_name
}

output "ci_variables" {
  description = "Variables that the CI jobs of this environment need for their federation."
  value = {
    GCP_WORKLOAD_IDENTITY_PROVIDER = var.workload_identity_provider
    GCP_SERVICE_ACCOUNT            = module.ci_identity.email
  }
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
  description = "Principals of this environment that read what the other one made: its artifact_readers and registry_readers."
  value = {
    artifact_readers = values(local.writers)
    registry_readers = local.pullers
  }
}
