resource "azurerm_storage_account" "this" {
  # checkov:skip=CKV_AZURE_33:No queue is used.
  # checkov:skip=CKV_AZURE_59:The network rules name the networks, and by default none beside the platform's.
  # checkov:skip=CKV_AZURE_206:Three zones of one region: artifacts stay in the region that was answered.
  # checkov:skip=CKV2_AZURE_1:Two layers of Microsoft's keys encrypt it.
  # checkov:skip=CKV2_AZURE_33:Endpoints in networks are the platform's, and work beside the rules here.
  name                     = var.name
  resource_group_name      = var.resource_group_name
  location                 = var.location
  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = "ZRS"
  tags                     = var.tags

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
      days = var.retention_days
    }

    container_delete_retention_policy {
      days = var.retention_days
    }
  }

  network_rules {
    default_action             = var.allowed_ip_ranges == null ? "Allow" : "Deny"
    bypass                     = ["AzureServices"]
    ip_rules                   = var.allowed_ip_ranges
    virtual_network_subnet_ids = var.allowed_subnet_ids
  }

  # The artifacts are evidence, in staging too: a version in production was made there.
  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container" "this" {
  # checkov:skip=CKV2_AZURE_21:The diagnostic setting below logs reads, writes and deletions.
  name                  = "artifacts"
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"

  lifecycle {
    prevent_destroy = true
  }
}

# A version counts its days from when it was written. Soft delete, above, counts from when this removes it.
resource "azurerm_storage_management_policy" "this" {
  storage_account_id = azurerm_storage_account.this.id

  rule {
    name    = "delete-former-versions"
    enabled = true

    filters {
      blob_types = ["blockBlob"]
    }

    actions {
      version {
        delete_after_days_since_creation = var.retention_days
      }
    }
  }
}

resource "azurerm_monitor_diagnostic_setting" "access" {
  name                       = "access"
  target_resource_id         = "${azurerm_storage_account.this.id}/blobServices/default"
  log_analytics_workspace_id = var.log_workspace_id

  dynamic "enabled_log" {
    for_each = ["StorageRead", "StorageWrite", "StorageDelete"]

    content {
      category = enabled_log.value
    }
  }
}

# ZenML's connector lists the containers of the account before it opens one, which no role on the container allows.
resource "azurerm_role_assignment" "account" {
  for_each = merge(var.writers, { for principal in setunion(var.readers, var.pruners) : principal => principal })

  scope                = azurerm_storage_account.this.id
  role_definition_name = "Reader"
  principal_id         = each.value
}

resource "azurerm_role_assignment" "writer" {
  for_each = var.writers

  scope                = azurerm_storage_container.this.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = each.value
}

resource "azurerm_role_assignment" "reader" {
  for_each = var.readers

  scope                = azurerm_storage_container.this.id
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = each.value
}

# The narrowest of Azure's own roles that deletes. Like a writer, a pruner cannot delete what a version keeps.
resource "azurerm_role_assignment" "pruner" {
  for_each = var.pruners

  scope                = azurerm_storage_container.this.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = each.value
}
