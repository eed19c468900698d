locals {
  name = "${var.name}-${var.environment}"

  buckets = {
    states = "${local.name}-tf-${var.account_id}"
    logs   = "${local.name}-logs-${var.account_id}"
  }

  arns = { for kind, name in local.buckets : kind => "arn:aws:s3:::${name}" }
}

# -------------------------------------------------------------------------------- the states, and who read what, when

resource "aws_kms_key" "states" {
  description             = "Terraform states of ${local.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "AccountDecides"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${var.account_id}:root" }
      Action    = "kms:*" # the IAM policies of this account say who uses the key
      Resource  = "*"     # in a key's policy: this key
    }]
  })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "states" {
  name          = "alias/${local.name}-tf"
  target_key_id = aws_kms_key.states.key_id
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18:The states' bucket is logged; that of the logs is not, or each line would make the next one.
  # checkov:skip=CKV_AWS_144:In which other region a copy may lie is the platform's to say.
  # checkov:skip=CKV_AWS_145:The states have a key of their own; with one, S3 could not write the logs.
  # checkov:skip=CKV2_AWS_62:Nothing waits for what happens in these buckets.
  for_each = local.buckets

  bucket = each.value

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    bucket_key_enabled = each.key == "states"

    apply_server_side_encryption_by_default {
      sse_algorithm     = each.key == "states" ? "aws:kms" : "AES256"
      kms_master_key_id = each.key == "states" ? aws_kms_key.states.arn : null
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "OnlyTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.arns[each.key], "${local.arns[each.key]}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for kind in ["logs"] : {
        Sid       = "S3WritesLogs"
        Effect    = "Allow"
        Principal = { Service = "logging.s3.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.arns[kind]}/*"
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      } if kind == each.key],
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_logging" "states" {
  bucket        = aws_s3_bucket.this["states"].id
  target_bucket = aws_s3_bucket.this["logs"].id
  target_prefix = "states/"

  depends_on = [aws_s3_bucket_policy.this]
}

# Only former versions go: who read what is evidence too.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    id     = "former-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 365
    }

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

# ------------------------------------------------------------------------------------------------------ the trust in CI

# It says whose tokens the account reads; which jobs may do what, the role of each environment says.
resource "aws_iam_openid_connect_provider" "ci" {
  count = var.create_ci_provider ? 1 : 0

  url            = var.ci_issuer
  client_id_list = ["sts.amazonaws.com"]
}
