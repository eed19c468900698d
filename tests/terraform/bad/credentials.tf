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
