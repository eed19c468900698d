# The bucket stands in staging.tfbackend or production.tfbackend; the README has the commands of the first apply, when
# there is no bucket yet.
terraform {
  backend "s3" {
    key          = "bootstrap/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
