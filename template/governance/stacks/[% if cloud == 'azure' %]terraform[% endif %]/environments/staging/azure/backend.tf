# The account that the bootstrap made stands in azurerm.tfbackend. It is opened by identity, a person's (`az login`) or a
# federated one, and never by its key.
terraform {
  backend "azurerm" {
    container_name   = "state"
    key              = "stack.tfstate"
    use_azuread_auth = true
    use_oidc         = true
  }
}
