locals {
  name = "${var.name}-${var.environment}"

  tags = {
    project     = var.name
    environment = var.environment
    owner       = var.owner
    cost_center = var.cost_center
    managed_by  = "terraform"
  }
}

resource "azurerm_resource_group" "state" {
  name     = "${local.name}-state"
  location = var.region
  tags     = local.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_account" "state" {
  # checkov:skip=CKV_AZURE_33:No queue is used.
  # checkov:skip=CKV_AZURE_59:The network rules name the networks.
  # checkov:skip=CKV_AZURE_206:Three zones of one region: states stay in the region that was answered.
  # checkov:skip=CKV2_AZURE_1:Two layers of Microsoft's keys encrypt it.
  # checkov:skip=CKV2_AZURE_33:Endpoints in networks are the platform's, and work beside the rules here.
  name                     = "${substr(replace(var.name, "-", ""), 0, 8)}${substr(var.environment, 0, 4)}tf${substr(sha256("${var.subscription_id}/${local.name}"), 0, 6)}"
  resource_group_name      = azurerm_resource_group.state.name
  location                 = azurerm_resource_group.state.location
  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = "ZRS"
  tags                     = local.tags

  # Identities of Entra ID alone: there is no account key to leak and no signature to make with one.
  shared_access_key_enabled       = false
  default_to_oauth_authentication = true
  local_user_enabled              = false

  allow_nested_items_to_be_public   = false
  allowed_copy_scope                = "AAD"
  cross_tenant_replication_enabled  = false
  https_traffic_only_enabled        = true
  infrastructure_encryption_enabled = true
  min_tls_version                   = "TLS1_2"

  blob_properties {
    versioning_enabled  = true
    change_feed_enabled = true

    delete_retention_policy {
      days = 30
    }

    container_delete_retention_policy {
      days = 30
    }
  }

  network_rules {
    default_action = var.allowed_ip_ranges == null ? "Allow" : "Deny"
    bypass         = ["AzureServices"]
    ip_rules       = var.allowed_ip_ranges
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container" "state" {
  # checkov:skip=CKV2_AZURE_21:The diagnostic setting below logs reads, writes and deletions.
  name                  = "state"
  storage_account_id    = azurerm_storage_account.state.id
  container_access_type = "private"

  lifecycle {
    prevent_destroy = true
  }
}

# Who read or wrote a state. Azure logs that only where it is asked to.
resource "azurerm_log_analytics_workspace" "state" {
  name                         = "${local.name}-state"
  resource_group_name          = azurerm_resource_group.state.name
  location                     = azurerm_resource_group.state.location
  sku                          = "PerGB2018"
  retention_in_days            = 365
  local_authentication_enabled = false
  tags                         = local.tags

  # Evidence: it says who changed a state.
  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_monitor_diagnostic_setting" "state" {
  name                       = "access"
  target_resource_id         = "${azurerm_storage_account.state.id}/blobServices/default"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.state.id

  dynamic "enabled_log" {
    for_each = ["StorageRead", "StorageWrite", "StorageDelete"]

    content {
      category = enabled_log.value
    }
  }
}

# Who is an owner of the subscription is not, by that, let into the states.
resource "azurerm_role_assignment" "state_writer" {
  for_each = var.state_writers

  scope                = azurerm_storage_container.state.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = each.value
}
