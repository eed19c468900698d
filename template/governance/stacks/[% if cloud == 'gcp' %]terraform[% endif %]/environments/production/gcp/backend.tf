# The bucket that the bootstrap made stands in gcs.tfbackend.
terraform {
  backend "gcs" {
    prefix = "stack"
  }
}
