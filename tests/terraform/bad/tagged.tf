# finds: default_tags of AWS lack cost_center, environment, managed_by, owner
provider "aws" {
  region = "eu-central-1"
}

# finds: default_tags of AWS lack cost_center
locals {
  tags = {
    environment = "staging"
    managed_by  = "terraform"
    owner       = "platform"
  }
}

provider "aws" {
  default_tags {
    tags = local.tags
  }
}
