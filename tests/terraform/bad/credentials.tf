# finds: is a credential
resource "google_service_account_key" "ci" {
  service_account_id = "x"
}

# finds: is a credential
resource "aws_iam_access_key" "ci" {
  user = "x"
}

# finds: is a credential
resource "aws_iam_user" "ci" {
  name = "x"
}

# finds: is a credential
resource "azuread_application_password" "ci" {
  name = "x"
}

# finds: is a credential
resource "google_secret_manager_secret_version" "ci" {
  secret = "x"
}

# finds: takes a credential
variable "zenml_api_key" {
  type = string
}

# finds: takes a credential
variable "client_secret" {
  type = string
}

# finds: api_key is a credential
provider "zenml" {
  api_key = var.it
}

# finds: slack_token is a credential
module "stack" {
  components = { a = { slack_token = "xoxb" } }
}

# finds: is a credential
resource "google_storage_hmac_key" "ci" {
  service_account_email = "x"
}

# finds: is a credential
resource "google_apikeys_key" "ci" {
  name = "x"
}

# finds: is a credential
resource "aws_iam_service_specific_credential" "ci" {
  user_name = "x"
}

# finds: is a credential
data "azurerm_storage_account_sas" "ci" {
  connection_string = var.it
}

# finds: is a credential
resource "azuread_service_principal_certificate" "ci" {
  service_principal_id = "x"
}

# finds: aws_eks_cluster_auth.platform is a credential
data "aws_eks_cluster_auth" "platform" {
  name = "x"
}

# finds: azurerm_kubernetes_cluster.platform is a credential
data "azurerm_kubernetes_cluster" "platform" {
  name = "x"
}
