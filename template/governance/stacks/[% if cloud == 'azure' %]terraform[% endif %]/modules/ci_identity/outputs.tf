output "client_id" {
  description = "Id by which a job logs in as the identity."
  value       = azurerm_user_assigned_identity.ci.client_id
}

output "principal_id" {
  description = "Object id of the identity, which roles are given to."
  value       = azurerm_user_assigned_identity.ci.principal_id
}

output "subjects" {
  description = "Subjects of the tokens that may be the identity."
  value       = [for credential in azurerm_federated_identity_credential.job : credential.subject]
}
