locals {
  readers_may_decrypt = {
    Sid       = "ReadersDecrypt"
    Effect    = "Allow"
    Principal = { AWS = var.readers }
    Action    = "kms:Decrypt"
    Resource  = "*" # in a key's policy: this key
    Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" } }
  }
}

# Names without values: a person adds one with `aws secretsmanager put-secret-value`, so that none is in a state.
resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:Only who issued a value can issue the next one; `governance secrets` says when one is old.
  for_each = var.names

  name                    = "${var.name}/${each.value}"
  kms_key_id              = aws_kms_key.this[0].arn
  recovery_window_in_days = 30
}

resource "aws_kms_key" "this" {
  count = length(var.names) == 0 ? 0 : 1

  description             = "Secrets of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "AccountDecides"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${var.account_id}:root" }
        Action    = "kms:*" # the IAM policies of this account say who uses the key
        Resource  = "*"     # in a key's policy: this key
      }],
      [for statement in [local.readers_may_decrypt] : statement if length(var.readers) > 0],
    )
  })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "this" {
  count = length(var.names) == 0 ? 0 : 1

  name          = "alias/${var.name}-secrets"
  target_key_id = aws_kms_key.this[0].key_id
}

resource "aws_secretsmanager_secret_policy" "readers" {
  for_each = length(var.readers) == 0 ? {} : aws_secretsmanager_secret.this

  secret_arn          = each.value.arn
  block_public_policy = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ReadersRead"
      Effect    = "Allow"
      Principal = { AWS = var.readers }
      Action    = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
      Resource  = "*" # in a secret's policy: this secret
    }]
  })
}
