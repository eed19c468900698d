terraform {
  required_version = ">= 1.11"
  backend "gcs" {}
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
  project = "p"
}

resource "google_storage_bucket" "this" {
  name                        = "artifacts"
  location                    = "EU"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = { owner = "platform" }

  versioning {
    enabled = true
  }

  lifecycle {
    prevent_destroy = true
  }
}

data "google_container_cluster" "platform" {
  name     = "c"
  location = "europe-west4"
}

resource "google_service_account" "runner" {
  account_id = "runner"
}

resource "google_storage_bucket_iam_member" "runner" {
  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectUser"
  member = google_service_account.runner.member
}

resource "zenml_stack_component" "artifacts" {
  name   = "artifacts"
  type   = "artifact_store"
  flavor = "gcp"
  configuration = {
    path = google_storage_bucket.this.url
  }
}

resource "zenml_stack" "this" {
  name       = "staging"
  components = { artifact_store = zenml_stack_component.artifacts.id }
}

output "endpoint" {
  description = "Where the platform's cluster is reached."
  value       = data.google_container_cluster.platform.endpoint
}
