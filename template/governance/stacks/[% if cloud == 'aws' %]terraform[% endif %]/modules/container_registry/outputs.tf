output "component" {
  description = "ZenML component: flavor and configuration."
  value = {
    flavor = "aws"
    configuration = {
      uri                = "${var.account_id}.dkr.ecr.${var.region}.amazonaws.com"
      default_repository = local.builds
    }
    connected   = true
    resource_id = null
  }
}

output "repository_arns" {
  description = "ARNs of the repositories."
  value       = local.arns
}

output "pull_policy_arn" {
  description = "ARN of the policy that lets a role pull images."
  value       = aws_iam_policy.pull.arn
}

output "push_policy_arn" {
  description = "ARN of the policy that, added to the one for pulling, lets a role push images."
  value       = aws_iam_policy.push.arn
}
