# The bucket stands in staging.tfbackend or production.tfbackend; the README has the commands of the first apply, when
# there is no bucket yet.
terraform {
  backend "gcs" {
    prefix = "bootstrap"
  }
}
