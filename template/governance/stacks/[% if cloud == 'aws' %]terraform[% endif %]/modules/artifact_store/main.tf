locals {
  bucket     = "${var.name}-${var.account_id}"
  bucket_arn = "arn:aws:s3:::${local.bucket}"

  readers_may_list = {
    Sid       = "ReadersList"
    Effect    = "Allow"
    Principal = { AWS = var.readers }
    Action    = ["s3:GetBucketLocation", "s3:ListBucket"]
    Resource  = local.bucket_arn
  }
  readers_may_get = {
    Sid       = "ReadersGet"
    Effect    = "Allow"
    Principal = { AWS = var.readers }
    Action    = "s3:GetObject"
    Resource  = "${local.bucket_arn}/*"
  }
  pruners_may_delete = {
    Sid       = "PrunersDelete"
    Effect    = "Allow"
    Principal = { AWS = var.pruners }
    Action    = "s3:DeleteObject"
    Resource  = "${local.bucket_arn}/*"
  }
  readers_may_decrypt = {
    Sid       = "ReadersDecrypt"
    Effect    = "Allow"
    Principal = { AWS = var.readers }
    Action    = "kms:Decrypt"
    Resource  = "*" # in a key's policy: this key
    Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
  }
}

# ------------------------------------------------------------------------------------------------------------- the key

resource "aws_kms_key" "this" {
  description             = "Artifacts in ${local.bucket}"
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
    prevent_destroy = true # without the key, no artifact can be read again
  }
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-artifacts"
  target_key_id = aws_kms_key.this.key_id
}

# ---------------------------------------------------------------------------------------------------------- the bucket

# The artifacts of a version in production were made in staging: both environments' artifacts are evidence.
resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_144:In which other region a copy may lie is the platform's to say.
  # checkov:skip=CKV2_AWS_62:Nothing waits for what happens in this bucket.
  bucket = local.bucket

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

# What a run replaces or deletes is kept as a version, which the bucket's policy lets nobody delete before its time.
# Object Lock would do so too, but refuses what a client uploads without a checksum.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket_versioning.this.bucket

  rule {
    id     = "replaced-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.retention_days
    }

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_logging" "this" {
  bucket        = aws_s3_bucket.this.id
  target_bucket = var.log_bucket
  target_prefix = "artifacts/"
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "OnlyTls"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          Sid       = "VersionsStay" # the lifecycle removes them, which no policy hinders
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:DeleteObjectVersion"
          Resource  = "${local.bucket_arn}/*"
        },
      ],
      [for statement in [local.readers_may_list, local.readers_may_get] : statement if length(var.readers) > 0],
      [for statement in [local.pruners_may_delete] : statement if length(var.pruners) > 0],
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

# ------------------------------------------------------------------------------------------------- who works with them

# Deleting hides an object behind a marker. Versioning is not among the actions: ZenML, which would then try to delete
# the former versions of its logs, warns once and lets them be.
resource "aws_iam_policy" "use" {
  name        = "${var.name}-artifacts"
  description = "Reads and writes the artifacts in ${local.bucket}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = concat([local.bucket_arn], var.sources[*].bucket_arn)
      },
      {
        Sid      = "Write"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
        Resource = "${local.bucket_arn}/*"
      },
      {
        Sid      = "Read"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = [for arn in concat([local.bucket_arn], var.sources[*].bucket_arn) : "${arn}/*"]
      },
      {
        Sid      = "Encrypt"
        Effect   = "Allow"
        Action   = "kms:GenerateDataKey"
        Resource = aws_kms_key.this.arn
      },
      {
        Sid      = "Decrypt"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = concat([aws_kms_key.this.arn], var.sources[*].kms_key_arn)
      },
    ]
  })
}

resource "aws_iam_policy" "prune" {
  count = length(var.prunable) == 0 ? 0 : 1

  name        = "${var.name}-prune"
  description = "Deletes artifacts of the other environment that retention lets go"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Delete"
      Effect   = "Allow"
      Action   = "s3:DeleteObject"
      Resource = [for arn in var.prunable : "${arn}/*"]
    }]
  })
}
