resource "azurerm_container_registry" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  sku                 = "Premium"
  tags                = var.tags

  admin_enabled           = false
  anonymous_pull_enabled  = false
  data_endpoint_enabled   = true
  zone_redundancy_enabled = true

  # What a release runs is named by its digest and tagged. An untagged image is one that a later build took the tag from.
  retention_policy_in_days = var.retention_days

  lifecycle {
    prevent_destroy = true
  }
}

# ZenML's connector looks the registry up before it asks for a token, which AcrPush does not allow.
resource "azurerm_role_assignment" "registry" {
  for_each = var.writers

  scope                = azurerm_container_registry.this.id
  role_definition_name = "Reader"
  principal_id         = each.value
}

resource "azurerm_role_assignment" "writer" {
  for_each = var.writers

  scope                = azurerm_container_registry.this.id
  role_definition_name = "AcrPush"
  principal_id         = each.value
}

resource "azurerm_role_assignment" "reader" {
  for_each = var.readers

  scope                = azurerm_container_registry.this.id
  role_definition_name = "AcrPull"
  principal_id         = each.value
}
