output "read_policies" {
  description = "Policy that lets a role read the secrets, where there are any: its ARN by a name."
  value       = { for policy in aws_iam_policy.read : "secrets" => policy.arn }
}
