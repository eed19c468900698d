# The bucket that the bootstrap made stands in s3.tfbackend, with its region and its key.
terraform {
  backend "s3" {
    key          = "stack/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
