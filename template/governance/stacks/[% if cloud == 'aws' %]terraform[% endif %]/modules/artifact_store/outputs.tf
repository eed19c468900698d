output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket
}

output "component" {
  description = "ZenML component: flavor and configuration."
  value = {
    flavor        = "s3"
    configuration = { path = "s3://${aws_s3_bucket.this.bucket}" }
    connected     = true
    resource_id   = null
  }
}

output "source" {
  description = "What another environment needs in order to read these artifacts."
  value = {
    bucket_arn  = local.bucket_arn
    kms_key_arn = aws_kms_key.this.arn
  }
}

output "use_policy_arn" {
  description = "ARN of the policy that lets a role read and write artifacts."
  value       = aws_iam_policy.use.arn
}
