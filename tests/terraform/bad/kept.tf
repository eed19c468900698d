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
