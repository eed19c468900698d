terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "6.50.0"
    }
    zenml = {
      source  = "zenml-io/zenml"
      version = "3.0.6"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
}

# The server and its key come from ZENML_SERVER_URL and ZENML_API_KEY.
provider "zenml" {}
