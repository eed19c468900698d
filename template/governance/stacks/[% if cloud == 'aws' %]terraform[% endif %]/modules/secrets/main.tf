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
    Statement = [{
      Sid       = "AccountDecides" # the IAM policies of this account say who uses the key
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${var.account_id}:root" }
      Action    = "kms:*"
      Resource  = "*" # in a key's policy: this key
    }]
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

resource "aws_iam_policy" "read" {
  count = length(var.names) == 0 ? 0 : 1

  name        = "${var.name}-secrets"
  description = "Reads the secrets of ${var.name}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Read"
        Effect   = "Allow"
        Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
        Resource = [for secret in aws_secretsmanager_secret.this : secret.arn]
      },
      {
        Sid      = "Decrypt"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = aws_kms_key.this[0].arn
      },
    ]
  })
}
