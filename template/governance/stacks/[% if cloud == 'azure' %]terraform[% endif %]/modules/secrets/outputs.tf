output "vault" {
  description = "Name of the vault."
  value       = azurerm_key_vault.this.name
}
