resource "azurerm_container_registry" "this" {
  # checkov:skip=CKV_AZURE_139:CI runners push from networks that nobody here knows; Entra ID says who they are.
  # checkov:skip=CKV_AZURE_164:Content trust is deprecated; an image is named by its digest, which the ledger holds.
  # checkov:skip=CKV_AZURE_165:The steps run in one region.
  # checkov:skip=CKV_AZURE_166:Quarantine needs a scanner of the platform's that lets images go.
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

resource "azurerm_monitor_diagnostic_setting" "access" {
  name                       = "access"
  target_resource_id         = azurerm_container_registry.this.id
  log_analytics_workspace_id = var.log_workspace_id

  dynamic "enabled_log" {
    for_each = ["ContainerRegistryLoginEvents", "ContainerRegistryRepositoryEvents"]

    content {
      category = enabled_log.value
    }
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
