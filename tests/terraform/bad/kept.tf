# finds: lacks prevent_destroy
resource "aws_s3_bucket" "a" {
  bucket = "x"
}

# finds: force_delete
resource "aws_ecr_repository" "a" {
  force_delete = true
}

# finds: force_destroy
resource "google_storage_bucket" "a" {
  force_destroy = var.it
}

# finds: aws_ecr_repository.a lacks prevent_destroy
resource "aws_ecr_repository" "a" {
  name = "x"
}

# finds: aws_kms_key.a lacks prevent_destroy
resource "aws_kms_key" "a" {
  name = "x"
}

# finds: azurerm_container_registry.a lacks prevent_destroy
resource "azurerm_container_registry" "a" {
  name = "x"
}

# finds: azurerm_key_vault.a lacks prevent_destroy
resource "azurerm_key_vault" "a" {
  name = "x"
}

# finds: azurerm_key_vault_key.a lacks prevent_destroy
resource "azurerm_key_vault_key" "a" {
  name = "x"
}

# finds: azurerm_log_analytics_workspace.a lacks prevent_destroy
resource "azurerm_log_analytics_workspace" "a" {
  name = "x"
}

# finds: azurerm_machine_learning_workspace.a lacks prevent_destroy
resource "azurerm_machine_learning_workspace" "a" {
  name = "x"
}

# finds: azurerm_storage_account.a lacks prevent_destroy
resource "azurerm_storage_account" "a" {
  name = "x"
}

# finds: azurerm_storage_container.a lacks prevent_destroy
resource "azurerm_storage_container" "a" {
  name = "x"
}

# finds: google_artifact_registry_repository.a lacks prevent_destroy
resource "google_artifact_registry_repository" "a" {
  name = "x"
}

# finds: google_iam_workload_identity_pool.a lacks prevent_destroy
resource "google_iam_workload_identity_pool" "a" {
  name = "x"
}

# finds: google_kms_crypto_key.a lacks prevent_destroy
resource "google_kms_crypto_key" "a" {
  name = "x"
}

# finds: google_storage_bucket.a lacks prevent_destroy
resource "google_storage_bucket" "a" {
  name = "x"
}
