# The account that the bootstrap made stands in azurerm.tfbackend. It is opened by identity: whoever called `az login`, or
# where ARM_OIDC_TOKEN is set the job that it is for.
terraform {
  backend "azurerm" {
    container_name   = "state"
    key              = "stack.tfstate"
    use_azuread_auth = true
    use_oidc         = true
  }
}
