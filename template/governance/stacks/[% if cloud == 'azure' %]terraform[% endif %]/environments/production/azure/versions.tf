terraform {
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "4.55.0"
    }
    zenml = {
      source  = "zenml-io/zenml"
      version = "3.0.6"
    }
  }
}

provider "azurerm" {
  subscription_id     = var.subscription_id
  tenant_id           = var.tenant_id
  storage_use_azuread = true

  features {
    # What is made here is made by Azure Resource Manager; nothing asks the accounts, whose networks may leave this machine out.
    storage {
      data_plane_available = false
    }
  }
}

# The server and its key come from ZENML_SERVER_URL and ZENML_API_KEY.
provider "zenml" {}
