output "role_arn" {
  description = "ARN of the role that the steps run as."
  value       = local.role_arn
}

output "component" {
  description = "ZenML component: flavor and configuration."
  value = {
    flavor = "sagemaker"
    configuration = {
      execution_role = aws_iam_role.steps.arn
      region         = var.region
      bucket         = var.bucket
      tags           = jsonencode(var.tags)
      pipeline_tags  = jsonencode(var.tags)
    }
    connected   = true
    resource_id = null
  }
}

output "submit_policy_arn" {
  description = "ARN of the policy that lets a role start runs."
  value       = aws_iam_policy.submit.arn
}
