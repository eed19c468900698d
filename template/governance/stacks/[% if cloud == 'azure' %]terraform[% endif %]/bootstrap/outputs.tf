output "state_account" {
  description = "Storage account of the states of this environment: `storage_account_name` of its backends."
  value       = azurerm_storage_account.state.name
}
