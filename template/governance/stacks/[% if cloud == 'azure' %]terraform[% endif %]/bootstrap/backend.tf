# The account stands in staging.tfbackend or production.tfbackend; the README has the commands of the first apply, when
# there is no account yet.
terraform {
  backend "azurerm" {
    container_name   = "state"
    key              = "bootstrap.tfstate"
    use_azuread_auth = true
    use_oidc         = true
  }
}
