# finds: public_access_prevention
resource "google_storage_bucket" "a" {
  name = "x"
}

# finds: for everybody
resource "google_storage_bucket_iam_member" "a" {
  member = "allUsers"
}

# finds: has no aws_s3_bucket_public_access_block
resource "aws_s3_bucket" "a" {
  bucket = "x"
}

# finds: block_public_acls
resource "aws_s3_bucket_public_access_block" "a" {
  bucket = "x"
}

# finds: for everybody
locals {
  policy = {
    Effect    = "Allow"
    Principal = "*"
  }
}

# finds: for everybody
locals {
  policy = {
    Effect    = "Allow"
    Principal = { AWS = "*" }
  }
}

# finds: allow_nested_items_to_be_public
resource "azurerm_storage_account" "a" {
  name = "x"
}

# finds: admin_enabled
resource "azurerm_container_registry" "a" {
  admin_enabled = true
}

# finds: for everybody
locals {
  policy = {
    Effect    = "Allow"
    Principal = { AWS = ["*"] } # for a reason
  }
}
