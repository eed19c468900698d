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
