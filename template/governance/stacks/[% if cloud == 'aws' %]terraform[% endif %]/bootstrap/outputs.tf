output "state_bucket" {
  description = "Bucket of the states of this environment: `bucket` of its backends."
  value       = aws_s3_bucket.this["states"].bucket
}
