# finds: primitive role
locals {
  role = "roles/editor"
}

# finds: primitive role
locals {
  role = "Contributor"
}

# finds: primitive role
locals {
  arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}

# finds: wildcard
locals {
  it = {
    Action   = "s3:*"
    Resource = "x"
  }
}

# finds: wildcard
# why

locals {
  it = {
    Action   = "a:b"
    Resource = "*"
  }
}

# finds: primitive role
locals {
  role = "roles/resourcemanager.projectIamAdmin"
}

# finds: primitive role
locals {
  role = "roles/storage.admin"
}

# finds: a role on every service account
resource "google_project_iam_member" "ci" {
  role = "roles/iam.serviceAccountTokenCreator"
}

# finds: primitive role
locals {
  role = "Role Based Access Control Administrator"
}

# finds: primitive role
resource "azurerm_role_assignment" "ci" {
  role_definition_id = var.it
}

# finds: "s3:*Object*"
locals {
  it = { Action = ["s3:*Object*"] }
}

# finds: "iam:Pass*"
locals {
  it = { Action = ["s3:GetObject", "iam:Pass*"] }
}

# finds: "arn:aws:s3:::*"
locals {
  it = { Resource = "arn:aws:s3:::*" }
}

# finds: Action   = "s3:*"
locals {
  it = {
    Action   = "s3:*"
    Resource = "*" # a reason for the resource alone
  }
}
