# finds: required_version
terraform {
  required_version = ">= 1.5"
}

# finds: required_providers lacks google
resource "google_project" "a" {
  name = "x"
}

# finds: the version of aws is ~> 6.0, not 6.25.0
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

# finds: the version of random
terraform {
  required_providers {
    random = {
      source  = "hashicorp/random"
      version = "3.0.0"
    }
  }
}
