# finds: holds a secret
output "a" {
  value     = 1
  sensitive = true
}

# finds: holds a secret
variable "it" {
  sensitive = true
}

output "a" {
  value = var.it
}

# finds: holds a secret
output "a" {
  value = azurerm_storage_account.this.primary_access_key
}
