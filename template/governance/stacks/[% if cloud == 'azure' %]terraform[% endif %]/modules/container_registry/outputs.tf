output "component" {
  description = "ZenML component: flavor and configuration."
  value = {
    flavor        = "azure"
    configuration = { uri = azurerm_container_registry.this.login_server }
    connected     = true
  }
}
