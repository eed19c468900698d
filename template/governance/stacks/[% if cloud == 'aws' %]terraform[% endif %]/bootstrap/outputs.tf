output "state_bucket" {
  description = "Bucket of the states of this environment: `bucket` of its backends."
  value       = aws_s3_bucket.state.bucket
}

output "state_key" {
  description = "ARN of the key of that bucket: `kms_key_id` of its backends."
  value       = aws_kms_key.state.arn
}
