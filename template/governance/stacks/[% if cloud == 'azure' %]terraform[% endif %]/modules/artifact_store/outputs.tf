output "account" {
  description = "Name of the storage account."
  value       = azurerm_storage_account.this.name
}

output "component" {
  description = "ZenML component: flavor and configuration."
  value = {
    flavor        = "azure"
    configuration = { path = "az://${azurerm_storage_container.this.name}" }
    connected     = true
  }
}
