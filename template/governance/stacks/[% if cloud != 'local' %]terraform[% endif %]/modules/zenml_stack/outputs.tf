output "stack_name" {
  description = "Name of the stack: the value of ZENML_STAGING_STACK or ZENML_PRODUCTION_STACK."
  value       = zenml_stack.this.name
}
