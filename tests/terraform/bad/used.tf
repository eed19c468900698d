# finds: var.a is not used
variable "a" {
  type = string

  validation {
    condition = var.a != ""
  }
}

# finds: local.a is not used
locals {
  a = 1
}

# finds: data.google_project.a is not used
data "google_project" "a" {}
