mock_provider "azurerm" {}

variables {
  subscription_id   = "00000000-0000-0000-0000-000000000001"
  tenant_id         = "00000000-0000-0000-0000-000000000002"
  environment       = "production"
  name              = "churn"
  owner             = "data-science"
  cost_center       = "cc-1234"
  state_writers     = ["00000000-0000-0000-0000-000000000004"]
  allowed_ip_ranges = ["203.0.113.0/24"]
}

run "state" {
  command = plan

  assert {
    condition = alltrue([
      !azurerm_storage_account.state.allow_nested_items_to_be_public,
      azurerm_storage_container.state.container_access_type == "private",
      azurerm_storage_account.state.network_rules[0].default_action == "Deny",
    ])
    error_message = "The states are open to more than the platform's networks."
  }

  assert {
    condition     = !azurerm_storage_account.state.shared_access_key_enabled && !azurerm_storage_account.state.local_user_enabled
    error_message = "A key or a password opens the states."
  }

  assert {
    condition     = azurerm_storage_account.state.blob_properties[0].versioning_enabled
    error_message = "A broken state could not be taken back."
  }

  assert {
    condition     = toset(azurerm_monitor_diagnostic_setting.state.enabled_log[*].category) == toset(["StorageDelete", "StorageRead", "StorageWrite"])
    error_message = "Nobody would learn who looked at a state."
  }

  assert {
    condition     = toset([for assignment in azurerm_role_assignment.state_writer : assignment.principal_id]) == var.state_writers
    error_message = "Others than state_writers write the states."
  }

  assert {
    condition     = can(regex("^[a-z0-9]{3,24}$", output.state_account))
    error_message = "Azure would refuse the name of the account."
  }
}

run "one_state_for_each_environment" {
  command = plan

  variables {
    environment = "staging"
  }

  assert {
    condition     = output.state_account != run.state.state_account
    error_message = "Staging and production share an account of states."
  }
}

run "nobody" {
  command = plan

  variables {
    state_writers     = []
    allowed_ip_ranges = []
  }

  expect_failures = [var.state_writers, var.allowed_ip_ranges]
}

run "identity_alone" {
  command = plan

  variables {
    allowed_ip_ranges = null
  }

  assert {
    condition     = azurerm_storage_account.state.network_rules[0].default_action == "Allow"
    error_message = "Without ranges nobody would reach the states."
  }
}
