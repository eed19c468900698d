terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.25.0"
    }
    zenml = {
      source  = "zenml-io/zenml"
      version = "3.0.6"
    }
  }
}

# The account is named, so that the credentials of another one stop at the plan.
provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = local.tags
  }
}

# The server and its key come from ZENML_SERVER_URL and ZENML_API_KEY.
provider "zenml" {}
